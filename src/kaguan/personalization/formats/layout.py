"""Records of fixed width, counted in bytes: what a layout file says of them, and one record to and fro.

Law 1. A record has exactly the layout's bytes; no character is ever cut, and a text that does not fit is refused or,
where the layout says `cut`, ends before the character that does not.
Law 2. A text stands left, filled with spaces. What begins or ends with a space is therefore refused, not lost.
Law 3. What is wrong is told with the field's name and never quotes the field.
"""

from __future__ import annotations

import pkgutil
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError, PlacedInputError
from kaguan.personalization.order.reading import HOLDER_COLUMNS, TASK_COLUMNS, OrderName

LAYOUTS = ("open-request", "open-answer", "account-map")
COUNT_WIDTH = SIZE_WIDTH = 8
RESERVED = "F"
SPACES = " \u3000"
"""What fields are filled with: we write spaces, and some hosts fill texts with full-width ones."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SOURCES = frozenset(
    {"holder.name", "holder.mobile"}
    | {f"holder.{column}" for column in HOLDER_COLUMNS}
    | {f"task.{column}" for column in TASK_COLUMNS}
    | {f"order.{part}" for part in OrderName._fields}
)


class LayoutError(PlacedInputError):
    """A layout file that contradicts itself or names something unknown."""


class Encoding(StrEnum):
    """How texts become bytes. GBK is the part of GB18030 without characters of four bytes, and not all of that."""

    GB18030 = "gb18030"
    GBK = "gbk"


class RecordEnd(StrEnum):
    """What stands behind the header and each record when a file is written; a reader takes any of them."""

    CRLF = "crlf"
    LF = "lf"
    NONE = "none"

    @property
    def raw(self) -> bytes:
        """The bytes."""
        return {RecordEnd.CRLF: b"\r\n", RecordEnd.LF: b"\n", RecordEnd.NONE: b""}[self]


@dataclass(frozen=True, slots=True)
class FixedField:
    """One field: `width` bytes, filled from `source` of the order when a file is written from one."""

    name: str
    width: int
    title: str
    source: str = ""
    cut: bool = False
    reserved: str = ""
    inferred: bool = False


@dataclass(frozen=True)
class FixedLayout:
    """A record's fields, and the header in front of the records."""

    name: str
    title: str
    prefix: str
    record_size: int
    header_reserved: int
    encoding: Encoding
    record_end: RecordEnd
    fields: tuple[FixedField, ...]
    opened: str = ""
    refused: str = ""
    by_name: Mapping[str, FixedField] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {one.name: one for one in self.fields})

    @property
    def header_size(self) -> int:
        """Bytes of the header, without its line end."""
        return len(self.prefix) + COUNT_WIDTH + SIZE_WIDTH + self.header_reserved

    def header(self, count: int) -> bytes:
        """The header of a file of so many records.

        Raises:
            CodecError: more records than the header can say.
        """
        if not 0 <= count < 10**COUNT_WIDTH:
            raise CodecError(f"{count} records are more than the header can say")
        return f"{self.prefix}{count:08d}{self.record_size:08d}".encode() + RESERVED.encode() * self.header_reserved

    def encode(self, values: Mapping[str, str]) -> bytes:
        """The record of these values; a field without one is empty.

        Raises:
            CodecError: with the field's name, when a value does not fit.
        """
        return b"".join(self.encode_field(one, values.get(one.name, "")) for one in self.fields)

    def encode_field(self, one: FixedField, text: str) -> bytes:
        """The field's bytes.

        Raises:
            CodecError: with the field's name, when the value does not fit.
        """
        if one.reserved:
            return one.reserved.encode() * one.width
        return self._fitted(one, text).ljust(one.width, b" ")

    def fit(self, name: str, text: str) -> str:
        """The text as the field of that name gives it back: cut where the layout cuts.

        Raises:
            CodecError: the text does not fit.
        """
        return textcodec.decode(self._fitted(self.by_name[name], text))

    def decode(self, raw: bytes) -> dict[str, str]:
        """The record's values by field name.

        Raises:
            CodecError: with the field's name, when its bytes are no text, or reserved bytes are not as they should be.
        """
        values = {}
        place = 0
        for one in self.fields:
            values[one.name] = self._decoded(one, raw[place : place + one.width])
            place += one.width
        return values

    def _decoded(self, one: FixedField, raw: bytes) -> str:
        if one.reserved:
            if raw.strip(one.reserved.encode() + b" "):
                raise CodecError(f"{one.name}: bytes that are not reserved {one.reserved}: the record is shifted")
            return ""
        try:
            text = textcodec.decode(raw)
        except CodecError as error:
            raise CodecError(f"{one.name}: {error}") from None
        if _CONTROL.search(text):
            raise CodecError(f"{one.name}: a control character: the record is shifted or binary")
        return text.strip(SPACES)

    def _fitted(self, one: FixedField, text: str) -> bytes:
        if _CONTROL.search(text):
            raise CodecError(f"{one.name}: a control character")
        if text.strip(SPACES) != text:
            raise CodecError(f"{one.name}: begins or ends with a space")
        try:
            raw = self._encoded(text)
            if len(raw) <= one.width:
                return raw
            if not one.cut:
                raise CodecError(f"{len(raw)} bytes do not fit in {one.width}")
            first = textcodec.decode(textcodec.split(text, one.width, len(raw)).first)
            # A cut may leave a space at the end, which would read as filling: it goes with what is cut.
            return textcodec.encode(first.rstrip(SPACES))
        except CodecError as error:
            raise CodecError(f"{one.name}: {error}") from None

    def _encoded(self, text: str) -> bytes:
        raw = textcodec.encode(text)
        if self.encoding is Encoding.GBK:
            for character in textcodec.normalise(text):
                if len(textcodec.encode(character)) > 2:
                    raise CodecError(f"character U+{ord(character):04X} is not in GBK")
        return raw


@cache
def load_layout(name: str) -> FixedLayout:
    """The layout of that name that comes with Kaguan."""
    return parse_layout(layout_text(name), file=f"{name}.toml")


def layout_text(name: str) -> str:
    """The layout's file, for somebody who has to change it.

    Raises:
        LayoutError: there is none of that name.
    """
    raw = pkgutil.get_data(__package__, f"layouts/{name}.toml") if name in LAYOUTS else None
    if raw is None:
        raise LayoutError(f"there is no layout '{name}': choose one of {', '.join(LAYOUTS)}")
    return raw.decode()


_NAMES = {one.name for one in fields(FixedLayout)} - {"by_name", "fields"} | {"field"}
_FIELD_NAMES = {one.name for one in fields(FixedField)} - {"source"} | {"from"}


def parse_layout(text: str, *, file: str = "") -> FixedLayout:
    """The layout that this TOML text is.

    Raises:
        LayoutError: no TOML, an unknown or missing name, a wrong value, or widths that do not give the record's size.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(str(error), file=file) from None
    try:
        return _layout(top)
    except KeyError as error:
        raise LayoutError(f"{error.args[0]} is missing", file=file) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise LayoutError(str(error), file=file) from None


def _layout(top: Mapping[str, Any]) -> FixedLayout:
    if unknown := sorted(top.keys() - _NAMES):
        raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(_NAMES))}")
    layout = FixedLayout(
        name=top["name"],
        title=top["title"],
        prefix=top["prefix"],
        record_size=top["record_size"],
        header_reserved=top["header_reserved"],
        encoding=Encoding(top["encoding"]),
        record_end=RecordEnd(top["record_end"]),
        fields=tuple(map(_field, top["field"])),
        opened=top.get("opened", ""),
        refused=top.get("refused", ""),
    )
    width = sum(one.width for one in layout.fields)
    if width != layout.record_size:
        raise ValueError(f"the fields have {width} bytes together, record_size is {layout.record_size}")
    if len(layout.by_name) != len(layout.fields):
        raise ValueError("two fields have the same name")
    if not re.fullmatch("[A-Z]{2}", layout.prefix):
        raise ValueError("prefix is not two capital letters")
    if not 0 <= layout.header_reserved <= 100:
        raise ValueError("header_reserved is not 0 to 100 bytes")
    return layout


def _field(table: Mapping[str, Any]) -> FixedField:
    if unknown := sorted(table.keys() - _FIELD_NAMES):
        raise ValueError(f"unknown in a field: {', '.join(unknown)}; known are {', '.join(sorted(_FIELD_NAMES))}")
    values = {("source" if name == "from" else name): value for name, value in table.items()}
    one = FixedField(**{"name": table["name"], "width": table["width"], "title": table["title"], **values})
    if not 1 <= one.width <= 1000:
        raise ValueError(f"{one.name}: width is not 1 to 1000 bytes")
    if one.source and one.source not in _SOURCES:
        raise ValueError(f"{one.name}: an order has no '{one.source}'")
    if len(one.reserved) > 1 or not one.reserved.isascii():
        raise ValueError(f"{one.name}: reserved is not one ASCII character")
    return one
