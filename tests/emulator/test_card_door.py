"""`kaguan card`."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.cards import VERIFY
from kaguan.durable import InUse
from kaguan.emulator.imagefile import FileCard, load_image, replace_image
from terminal.doors import call, card_file


def test_a_card_that_somebody_holds_is_not_replaced(tmp_path: Path) -> None:
    path = card_file(tmp_path)
    with FileCard(path, sync=False) as card:
        ended = call("card", "new", path, "--force")
        assert (ended.code, "in use" in ended.complaint) == (InUse.exit_code, True)
        card.transceive(bytes.fromhex("00A4000002DDF1"))
        card.transceive(bytes.fromhex("0020000003654321"))
        assert card.transceive(bytes.fromhex(VERIFY)) == b"\x90\x00"
        last = card.image
    assert load_image(path) == last


@pytest.mark.parametrize("content", [None, b"", b"nonsense"], ids=["card", "nothing", "nonsense"])
def test_force_replaces_whatever_is_there(tmp_path: Path, content: bytes | None) -> None:
    path = card_file(tmp_path)
    if content is not None:
        path.write_bytes(content)
    assert call("card", "new", path).code == 5
    assert call("card", "new", path, "--force", "--serial", "200101000009").code == 0
    assert load_image(path).atr.endswith(b"\x09")
    with FileCard(path):
        pass


def test_a_replaced_card_is_replaced_whole(tmp_path: Path) -> None:
    first, second = card_file(tmp_path, "first"), tmp_path / "second"
    assert call("card", "new", second, "--blank").code == 0
    replace_image(second, load_image(first))
    assert load_image(second) == load_image(first)
