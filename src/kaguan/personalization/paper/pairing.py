"""Pairing codes: what a camera reads on card, letter and mailer to put the right ones into one envelope.

A code is a letter for the kind of thing, a link of twelve characters drawn at random, and four check characters bound
to both by a key. It says nothing of the card or its holder, and fits a QR code of version 1.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.paper.fonts import Lettering
from kaguan.personalization.paper.numbering import mac_text
from kaguan.personalization.paper.pages import A4, Align, Pages
from kaguan.vault.secret import Random, Secret

_LINK_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LINK_SIZE = 12
_CHECK_SIZE = 4
_CODE = re.compile(r"([CLM])([0-9A-HJKMNP-TV-Z]{12})([0-9A-HJKMNP-TV-Z]{4})")


class Kind(StrEnum):
    """What the code is printed on."""

    CARD = "C"
    LETTER = "L"
    MAILER = "M"


class PairingRefused(RuleBroken):
    """These two do not belong into one envelope."""


def draw_link(random: Random) -> str:
    """A link at random, 60 bits: what card, letter and mailer of one holder have in common."""
    return "".join(_LINK_ALPHABET[byte & 31] for byte in random(_LINK_SIZE))


def check_link(link: str) -> None:
    """The link has the form of one that was drawn.

    Raises:
        InputError: it has not; the text does not quote it.
    """
    if len(link) != _LINK_SIZE or set(link) - set(_LINK_ALPHABET):
        raise InputError(f"a link is {_LINK_SIZE} characters drawn from {_LINK_ALPHABET}")


def pairing_code(key: Secret, kind: Kind, link: str) -> str:
    """The code to print on a thing of this kind.

    Raises:
        InputError: the link is out of form.
    """
    check_link(link)
    return kind + link + mac_text(key, "pairing code", kind, link, characters=_CHECK_SIZE)


def read_code(key: Secret, code: str) -> tuple[Kind, str]:
    """The kind and the link in what a camera read.

    Raises:
        PairingRefused: it is no code of ours.
    """
    match = _CODE.fullmatch(code)
    if match is None:
        raise PairingRefused(f"{code[:40]!r} is no pairing code")
    kind, link = Kind(match[1]), match[2]
    if not hmac.compare_digest(pairing_code(key, kind, link), code):
        raise PairingRefused(f"{code} was misread, or was not printed here")
    return kind, link


def pair(key: Secret, code: str, other: str) -> str:
    """The link that both codes carry: the two things belong together.

    Raises:
        PairingRefused: one is no code of ours, both are on the same kind of thing, or they belong to different holders.
    """
    kind, link = read_code(key, code)
    other_kind, other_link = read_code(key, other)
    if kind is other_kind:
        raise PairingRefused(f"{code} and {other} are both a {kind.name.lower()}'s: read one of each kind")
    if not hmac.compare_digest(link, other_link):
        raise PairingRefused(f"{code} and {other} belong to different holders: take both out of the line")
    return link


@dataclass(frozen=True, slots=True)
class PairingRow:
    """One envelope: its place in the job, and the codes of what goes in."""

    row: int
    place: str
    card_code: str
    letter_code: str


_TITLE = "配对单 Pairing sheet"
_HEADINGS = ("序号 Row", "位置 Place", "卡 Card", "信函 Carrier letter")
_ROWS_A_PAGE = 8
_LEFT, _TOP, _STEP, _CODE_MM = 18.0, 40.0, 30.0, 21.0
_COLUMNS = (_LEFT, 36.0, 70.0, 136.0)


def pairing_texts(title: str, rows: Iterable[PairingRow]) -> Iterator[tuple[int, str]]:
    """All that a pairing sheet shows, for `check_glyphs`."""
    yield from ((0, text) for text in (_TITLE, *_HEADINGS, title))
    yield from ((row.row, row.place) for row in rows)


def pairing_sheet(title: str, rows: Iterable[PairingRow], lettering: Lettering, *, written_at: datetime) -> bytes:
    """A PDF with eight envelopes a page, for the people who check the pairing by hand or with a camera."""
    pages = Pages(lettering, A4, title=_TITLE, written_at=written_at)
    for index, row in enumerate(rows):
        if index % _ROWS_A_PAGE == 0:
            _begin_page(pages, title)
        y = _TOP + (index % _ROWS_A_PAGE) * _STEP
        pages.text(_COLUMNS[0], y + 12, str(row.row), 12)
        pages.text(_COLUMNS[1], y + 12, row.place, 10, fit_mm=30)
        for x, code in zip(_COLUMNS[2:], (row.card_code, row.letter_code), strict=True):
            pages.code(x, y, _CODE_MM, code)
            pages.text(x + _CODE_MM + 4, y + 12, f"{code[:7]} {code[7:]}", 7, fit_mm=36)
        pages.strokes([[(_LEFT, y + 25.5), (A4.width_mm - _LEFT, y + 25.5)]], line_mm=0.1, gray=160)
    if not pages.count:
        _begin_page(pages, title)
    return pages.finish()


def _begin_page(pages: Pages, title: str) -> None:
    pages.new()
    pages.text(_LEFT, 20, _TITLE, 16)
    pages.text(A4.width_mm - _LEFT, 20, title, 9, align=Align.RIGHT, fit_mm=100)
    for x, heading in zip(_COLUMNS, _HEADINGS, strict=True):
        pages.text(x, 32, heading, 8, gray=90)
    pages.strokes([[(_LEFT, 35), (A4.width_mm - _LEFT, 35)]], line_mm=0.3)
    pages.text(A4.width_mm / 2, A4.height_mm - 10, str(pages.count), 8, align=Align.MIDDLE, gray=90)
