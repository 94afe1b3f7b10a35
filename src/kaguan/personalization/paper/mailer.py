"""PIN mailers: one a page, the PIN under a scratch pattern, never with a number of card, bank or certificate.

The PIN's digits are shapes, not text: no search of the file and no copying from a viewer finds them. They stand among
light hairlines, other ones on each mailer, that make them hard to read through the paper. What covers them on the
screen is a layer of its own; `Concealment` says when to use it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random as Seeded
from typing import NamedTuple

from kaguan.apdu.errors import InputError
from kaguan.durable import write_whole
from kaguan.personalization.paper.fonts import Lettering
from kaguan.personalization.paper.numbering import MailerNumbers
from kaguan.personalization.paper.pages import A5_ACROSS, Align, Pages, Point, Stamp
from kaguan.personalization.paper.pairing import Kind, pairing_code
from kaguan.personalization.paper.pinfile import PinRecord
from kaguan.vault.secret import Secret

PAGES_A_FILE = 5_000
_OWNER_ONLY = 0o600


class Concealment(StrEnum):
    """How the PIN is hidden on paper."""

    LAYER = "layer"
    """A dense pattern covers the PIN in a layer that shows on screens and is not printed; the paper gets a scratch-off
    label or ink. Print with a program that heeds the print state of layers (Acrobat, PDFium): Ghostscript and Poppler
    print the pattern over the PIN, which spoils mailers and tells nothing."""

    BLIND = "blind"
    """No pattern of ours, and the PIN alone in its window: for peel-off film and carbon sets that bring their own
    pattern, and for every printing program. Whoever opens the file sees the PINs."""


@dataclass(frozen=True, slots=True)
class MailerForm:
    """What all mailers of a job have in common. `sender` and `hotline` are printed; nothing of it is personal."""

    sender: str
    sender_address: str
    hotline: str = "12333"
    concealment: Concealment = Concealment.LAYER


class Part(NamedTuple):
    """A finished file of mailers."""

    path: Path
    numbers: range


class AddressTooLong(InputError):
    """An address that does not fit into the window of an envelope; it is never cut."""


_PAPER = A5_ACROSS
_ADDRESS_LINES = 3
_WINDOW = (114.0, 92.0, 78.0, 20.0)
_PIN_SIZE = 26.0
_PIN_STEP = 9.6
_NOTES = (
    "这是您的社会保障卡初始密码。请刮开右侧涂层查看，并在首次使用时修改。",
    "请勿将密码写在卡上，也不要告诉任何人，包括工作人员。",
    "若涂层已被刮开或破损，或数字模糊不清，请勿使用此密码，并立即致电 {hotline}。",
)
_NOTES_ENGLISH = (
    "Initial PIN of your social security card. Scratch off the coating and change the PIN when you first use the card. "
    "If the coating is damaged or the digits are not clear, do not use it: call {hotline}."
)
_HEADING, _PIN_LABEL, _SCRATCH_HERE = "密码信封", "密码 PIN", "刮开涂层 SCRATCH HERE"
_NUMBER_LABEL, _TO = "信封编号 Mailer No.", "收"
_RETURN = "无法投递请退回寄件人 If undeliverable, return to sender"
_LABELS = (*_NOTES, _NOTES_ENGLISH, _HEADING, _PIN_LABEL, _SCRATCH_HERE, _NUMBER_LABEL, _TO, _RETURN)


def mailer_texts(form: MailerForm, records: Iterable[PinRecord]) -> Iterator[tuple[int, str]]:
    """All that the mailers show, each with its row, for `check_glyphs`; rows count from 1."""
    fixed = (*_LABELS, form.sender, form.sender_address, form.hotline)
    yield from ((0, text) for text in fixed)
    for row, record in enumerate(records, 1):
        yield row, record.name
        yield row, record.address
        yield row, record.postcode


def write_mailers(
    folder: Path,
    records: Iterable[PinRecord],
    numbers: range,
    made: MailerNumbers,
    form: MailerForm,
    lettering: Lettering,
    *,
    pairing_key: Secret,
    written_at: datetime,
    pages_a_file: int = PAGES_A_FILE,
) -> Iterator[Part]:
    """Files of mailers, each whole and for its owner alone before it comes out; their names are their numbers.

    Draw `numbers` from the register before, as many as there are records, and tell it of each part that came out.
    Memory grows with `pages_a_file` only.

    Raises:
        GlyphsMissing: a text that was not checked.
        AddressTooLong: an address of more than three lines.
        ValueError: more records than numbers, or fewer.
        OSError: no room or no right.
    """
    rows, left = iter(records), numbers
    while batch := list(islice(rows, pages_a_file)):
        if len(batch) > len(left):
            raise ValueError(f"there are more mailers than the {len(numbers)} numbers drawn for them")
        mine, left = left[: len(batch)], left[len(batch) :]
        data = _file(batch, mine, made, form, lettering, pairing_key, written_at)
        path = folder / f"mailers-{made.series}-{mine[0]:08}-{mine[-1]:08}.pdf"
        write_whole(path, data, mode=_OWNER_ONLY)
        del data
        gc.collect()  # a finished PDF is a web of objects that refer to each other: the next one needs its room
        yield Part(path, mine)
    if left:
        raise ValueError(f"{len(left)} numbers were drawn and have no mailer: void them")


def _file(
    records: Iterable[PinRecord],
    numbers: Iterable[int],
    made: MailerNumbers,
    form: MailerForm,
    lettering: Lettering,
    pairing_key: Secret,
    written_at: datetime,
) -> bytes:
    pages = Pages(lettering, _PAPER, title=f"PIN mailers {made.series}", written_at=written_at)
    lines = _letter_lines(pages, form)
    scratch = (
        pages.prepared(_SCRATCH_DARK, line_mm=0.7, gray=110, dash_mm=(2.3, 1.2, 0.6, 1.7)),
        pages.prepared(_SCRATCH_LIGHT, line_mm=0.5, gray=225, dash_mm=(1.1, 1.5, 2.9, 0.8)),
    )
    for record, number in zip(records, numbers, strict=True):
        pages.new()
        printed_number = made.text(number)
        _address(pages, form, record)
        _number(pages, printed_number, pairing_code(pairing_key, Kind.MAILER, record.mailer_id))
        _letter(pages, lines)
        _pin(pages, form, record, printed_number, scratch)
    return pages.finish()


def _address(pages: Pages, form: MailerForm, record: PinRecord) -> None:
    pages.text(18, 16, form.sender, 9, fit_mm=95)
    pages.text(18, 20.5, form.sender_address, 7, gray=80, fit_mm=95)
    pages.strokes([[(18, 23), (113, 23)]], line_mm=0.15, gray=120)
    pages.text(22, 32, record.postcode, 12)
    lines = pages.wrapped(record.address, 11, 88)
    if len(lines) > _ADDRESS_LINES:
        raise AddressTooLong(
            f"mailer {record.mailer_id}: the address takes {len(lines)} lines, there are {_ADDRESS_LINES}"
        )
    for index, line in enumerate(lines):
        pages.text(22, 39.5 + 5.2 * index, line, 11)
    pages.text(22, 59, record.name, 15, fit_mm=70)
    pages.text(24 + min(70, pages.width(record.name, 15)), 59, _TO, 11)


def _number(pages: Pages, number: str, code: str) -> None:
    right = _PAPER.width_mm - 18
    pages.code(right - 16, 12, 16, code)
    pages.text(right - 20, 16, _NUMBER_LABEL, 7, align=Align.RIGHT, gray=80)
    pages.text(right - 20, 21.5, number, 9, align=Align.RIGHT)


def _letter(pages: Pages, lines: Iterable[_Line]) -> None:
    middle = _PAPER.width_mm / 2
    pages.strokes([[(12, 68), (_PAPER.width_mm - 12, 68)]], line_mm=0.2, gray=120, dash_mm=(2, 1.5))
    pages.text(18, 85, _HEADING, 15)
    for line in lines:
        pages.text(line.x, line.y, line.text, line.size_pt, gray=line.gray)
    pages.text(middle, _PAPER.height_mm - 10, _RETURN, 7, align=Align.MIDDLE, gray=110)


class _Line(NamedTuple):
    x: float
    y: float
    text: str
    size_pt: float
    gray: int


def _letter_lines(pages: Pages, form: MailerForm) -> list[_Line]:
    """The notes broken into lines, which are the same on every page."""
    lines, y = [], 95.0
    for note in _NOTES:
        for text in pages.wrapped(note.format(hotline=form.hotline), 9.5, 78):
            lines.append(_Line(18, y, text, 9.5, 0))
            y += 5.2
        y += 1.6
    x, top, _, height = _WINDOW
    for index, text in enumerate(pages.wrapped(_NOTES_ENGLISH.format(hotline=form.hotline), 7, 78)):
        lines.append(_Line(x, top + height + 6 + 3.6 * index, text, 7, 70))
    return lines


def _pin(pages: Pages, form: MailerForm, record: PinRecord, number: str, scratch: Iterable[Stamp]) -> None:
    x, y, width, height = _WINDOW
    pages.text(x, y - 2.5, _PIN_LABEL, 10)
    pages.text(x + width, y - 2.5, _SCRATCH_HERE, 7, align=Align.RIGHT, gray=80)
    hidden = form.concealment is Concealment.LAYER
    if hidden:
        pages.strokes(_hairlines(number), line_mm=0.12, gray=150)
    pin = record.pin.reveal_digits()
    left = x + (width - _PIN_STEP * len(pin)) / 2
    for place, digit in enumerate(pin):
        pages.shape(pages.lettering.digits[int(digit)], left + place * _PIN_STEP + 2, y + height / 2 + 3.4, _PIN_SIZE)
    if hidden:
        with pages.layer("scratch", on_screen=True, on_paper=False), pages.clip(*_WINDOW):
            pages.fill([_WINDOW], gray=176)
            for stamp in scratch:
                pages.stamp(stamp)
    pages.box(x, y, width, height, line_mm=0.3)


def _hairlines(number: str) -> list[list[Point]]:
    """Thin lines across the window, others on each mailer, so that no two can be laid over each other and compared."""
    luck = Seeded(sha256(number.encode()).digest())
    x, y, width, height = _WINDOW
    return [
        [(x + luck.uniform(0, width), y + 0.5), (x + luck.uniform(0, width), y + height - 0.5)] for _ in range(24)
    ] + [[(x + 0.5, y + luck.uniform(0, height)), (x + width - 0.5, y + luck.uniform(0, height))] for _ in range(12)]


def _hatching(slope_mm: float, pitch_mm: float) -> list[list[Point]]:
    x, y, width, height = _WINDOW
    count = int((width + abs(slope_mm)) / pitch_mm) + 1
    start = x - max(slope_mm, 0)
    return [
        [(start + place * pitch_mm, y), (start + place * pitch_mm + slope_mm, y + height)] for place in range(count)
    ]


_SCRATCH_DARK = _hatching(22.0, 1.6)
_SCRATCH_LIGHT = _hatching(-13.0, 1.9)
