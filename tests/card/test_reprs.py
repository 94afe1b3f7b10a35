"""What a debugger, a log or a traceback prints of a chip says how much there is, never what it is."""

from __future__ import annotations

import pytest

from card.cards import Terminal
from kaguan.card_os.image import Elementary
from kaguan.card_os.outcome import Outcome
from kaguan.card_os.profile import FREE, NEVER, FileKind
from kaguan.card_os.session import PendingTransaction, Session
from kaguan.card_os.writes import PutBytes, PutElementary, PutRecord, PutRecords
from kaguan.personalization.order.pipetext import Line
from kaguan.personalization.order.writing import OrderedCard, OrderedTask
from properties.bank_scenes import BANK_SCENES
from properties.native_scenes import NATIVE_SCENES
from properties.scenes import SCENES, Scene

SHOWN = b"990101199003070015"
FILE = Elementary(FileKind.TRANSPARENT, FREE, NEVER, 18, 0, SHOWN, (SHOWN,))
RECORD = PutRecord(b"\x3f\x00", 0, SHOWN)
PENDING = PendingTransaction(b"\x3f\x00", 9, 700, SHOWN, None, SHOWN, 1, (RECORD,), SHOWN)
CARD = OrderedCard({"cert_no": SHOWN.decode()}, SHOWN)
VALUES = (
    FILE,
    RECORD,
    PENDING,
    CARD,
    PutBytes(b"\x3f\x00", 0, SHOWN),
    PutRecords(b"\x3f\x00", (SHOWN,)),
    PutElementary(b"\x3f\x00", FILE),
    Session(challenge=SHOWN, waiting=SHOWN, pending=PENDING),
    Outcome(SHOWN, 0x9000, Session(waiting=SHOWN), ((RECORD,),)),
    OrderedTask({"batch": SHOWN.decode()}, (CARD,)),
    Line(7, SHOWN),
)


def _holds(text: str, content: bytes) -> bool:
    """Whether the text holds any four bytes of the content, as themselves or in hexadecimal."""
    parts = [content[start : start + 4] for start in range(len(content) - 3)]
    shown = text.upper()
    return any(part.hex().upper() in shown or repr(part)[2:-1].upper() in shown for part in parts)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_contents_are_counted_and_not_shown(value: object) -> None:
    for text in (repr(value), str(value), f"{value}", f"{(value,)}"):
        assert not _holds(text, SHOWN)
        assert text


def test_sizes_are_told() -> None:
    assert repr(FILE) == "<Elementary TRANSPARENT, 18 bytes, 1 records>"
    assert repr(RECORD) == "<PutRecord 3F00 at 0, 18 bytes>"
    assert repr(CARD) == "<OrderedCard of 1 columns, photo of 18 bytes>"
    assert "18 bytes waiting" in repr(Session(waiting=SHOWN))


@pytest.mark.parametrize("scene", [*SCENES, *NATIVE_SCENES, *BANK_SCENES], ids=lambda scene: scene.name)
def test_neither_writes_nor_sessions_nor_images_show_what_they_hold(scene: Scene) -> None:
    stage = scene.staged()
    terminal: Terminal = stage.terminal
    terminal.send(stage.command)
    image = terminal.card.image
    text = repr((stage.kept.groups, terminal.card._session, image, image.files, image.keys, image.pins))
    secrets = [key.value for versions in image.keys.values() for key in versions]
    secrets += [file.content for file in image.files.values() if len(set(file.content)) > 1]
    secrets += [record for file in image.files.values() for record in file.records if len(set(record)) > 1]
    for secret in (secret for secret in secrets if len(secret) >= 4):
        assert secret.hex().upper() not in text.upper()
        assert repr(secret)[2:-1] not in text
