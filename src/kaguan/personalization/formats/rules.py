"""How one column of an order is made from a row of the source.

A rule is applied in one fixed sequence: take the text (`from`, `compose`, `constant` or `count`), trim it, use
`default` when it is empty, cut the `slice`, `translate`, read the `date`, make it `upper` case, `pad` it. A constant
and a default are the order's own text and pass all later steps by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from kaguan.apdu.codecs import real_date
from kaguan.personalization.formats.source import BadCell, SourceRow

Ref = str | int
"""A source column: its name, or its number from 1."""


class Template(NamedTuple):
    """Texts and source columns in sequence: `{省}{市}大街` is two references and a text."""

    parts: tuple[tuple[str, Ref | None], ...]
    """Each a text and the reference behind it; the last reference may be None."""

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The source columns that it wants."""
        return tuple(ref for _, ref in self.parts if ref is not None)


class Pad(NamedTuple):
    """Filled up to `width` characters with `fill`, on the left or on the right."""

    width: int
    fill: str
    left: bool


class Place(NamedTuple):
    """Where in the mapping file something stands, for messages."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """How one column is made; exactly one of `template`, `constant` and `count` says from what."""

    column: str
    place: Place
    template: Template | None = None
    constant: str | None = None
    count: int = 0
    default: str = ""
    trim: bool = True
    slice: tuple[int, int] | None = None
    translate: Mapping[str, str] | None = None
    dates: tuple[DateForm, ...] = ()
    upper: bool = False
    pad: Pad | None = None


class CellFault(Exception):
    """A row's cell cannot be used; `refs` are the source columns, the text is the reason and quotes no value."""

    def __init__(self, reason: str, refs: tuple[Ref, ...]) -> None:
        self.refs = refs
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class DateForm:
    """A way to write a day: YYYY, MM and DD with two digits, M and D with one or two, and other characters."""

    text: str
    pattern: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> DateForm:
        """The form that the text describes.

        Raises:
            ValueError: it does not have a year, a month and a day once each.
        """
        kinds = {"YYYY": r"(?P<y>\d{4})", "MM": r"(?P<m>\d\d)", "DD": r"(?P<d>\d\d)"}
        kinds |= {"M": r"(?P<m>\d{1,2})", "D": r"(?P<d>\d{1,2})"}
        pieces = re.split(r"(YYYY|MM|DD|M|D)", text)
        if sorted(piece[0] for piece in pieces[1::2]) != ["D", "M", "Y"]:
            raise ValueError("is no date form: it needs YYYY, MM (or M) and DD (or D) once each, as in YYYY-MM-DD")
        pattern = "".join(kinds.get(piece, re.escape(piece)) for piece in pieces)
        return cls(text, re.compile(pattern, re.ASCII))

    def read(self, text: str) -> str | None:
        """The day as YYYYMMDD, or None when the text is not written so or no such day exists."""
        match = self.pattern.fullmatch(text)
        if match is None:
            return None
        day = f"{match['y']}{int(match['m']):02d}{int(match['d']):02d}"
        return day if real_date(day) else None


Maker = Callable[[SourceRow, int], str]
"""A rule bound to a source: the column's text from a row and the row's place among all rows, from 1."""


def bind(rule: Rule, index_of: Mapping[Ref, int]) -> Maker:
    """The rule as a function; `index_of` knows every source column that the rule wants.

    The function raises `CellFault` for a row from which the column cannot be made.
    """
    if rule.constant is not None:
        return _constant(rule.constant)
    if rule.count:
        return _counted(rule.count)
    assert rule.template is not None  # noqa: S101 - the mapping's reader sees to it
    take, finish, refs = bind_template(rule.template, index_of, trim=rule.trim), _finish(rule), rule.template.refs

    def make(row: SourceRow, place: int) -> str:
        text = take(row)
        return finish(text, refs) if text else rule.default

    return make


def bind_template(template: Template, index_of: Mapping[Ref, int], *, trim: bool = True) -> Callable[[SourceRow], str]:
    """The template as a function of the row."""
    steps = [(text, ref, None if ref is None else index_of[ref]) for text, ref in template.parts]
    single = len(steps) == 1 and not steps[0][0]

    def take(row: SourceRow) -> str:
        found = [_text(row, ref, index, trim=trim) for _, ref, index in steps if index is not None and ref is not None]
        if single:
            return found[0]
        if not any(found):
            return ""  # of an address without any part nothing is left, not its punctuation
        filled = iter(found)
        return "".join(text + (next(filled) if index is not None else "") for text, _, index in steps)

    return take


def _text(row: SourceRow, ref: Ref, index: int, *, trim: bool) -> str:
    cell = row.cells[index] if index < len(row.cells) else ""
    if isinstance(cell, BadCell):
        raise CellFault(cell.reason, (ref,))
    if isinstance(cell, date):
        return cell.strftime("%Y%m%d") if cell.year >= 1000 else ""
    return cell.strip() if trim else cell


def _constant(text: str) -> Maker:
    return lambda row, place: text


def _counted(width: int) -> Maker:
    return lambda row, place: str(place).rjust(width, "0")


def _finish(rule: Rule) -> Callable[[str, tuple[Ref, ...]], str]:
    """The steps after taking and trimming, for a text that is not empty."""

    def finish(text: str, refs: tuple[Ref, ...]) -> str:
        if rule.slice:
            first, last = rule.slice
            if len(text) < last:
                raise CellFault(f"has {len(text)} characters, the mapping takes number {first} to {last}", refs)
            text = text[first - 1 : last]
        if rule.translate is not None:
            if text not in rule.translate:
                raise CellFault("is none of the values that the mapping translates", refs)
            text = rule.translate[text]
        if rule.dates:
            text = _day(text, rule.dates, refs)
        if rule.upper:
            text = text.upper()
        return _padded(text, rule.pad, refs) if rule.pad else text

    return finish


def _day(text: str, forms: tuple[DateForm, ...], refs: tuple[Ref, ...]) -> str:
    for form in forms:
        if day := form.read(text):
            return day
    if real_date(text):
        return text  # a spreadsheet's own day, which comes so, and the order's form
    written = " or ".join(form.text for form in forms)
    raise CellFault(f"is no day of the calendar written {written}", refs)


def _padded(text: str, pad: Pad, refs: tuple[Ref, ...]) -> str:
    if len(text) > pad.width:
        raise CellFault(f"has {len(text)} characters, more than the {pad.width} that it is filled up to", refs)
    return text.rjust(pad.width, pad.fill) if pad.left else text.ljust(pad.width, pad.fill)
