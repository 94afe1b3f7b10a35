"""The plan of a job: which column goes where on the card, and how; worked out once for all of its holders.

A field that the order has no column for holds the same on every card: its default, or nothing. The others are slots:
each takes one column's text and gives bytes of one length, so that a holder's values stand in a row without names.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Container, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from kaguan.apdu import codecs
from kaguan.apdu.codecs import FieldFormat
from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import CardProfile, FieldSpec, FileSpec
from kaguan.card_os.profile.model import FilesMade
from kaguan.card_os.profile.values import encode_field
from kaguan.personalization.order.reading import FieldKey

Address = tuple[str, str, int]
Values = Mapping[Address, tuple[bytes, ...]]

IDENT_CODE = ("SSSE", "EF05", 0x01)
_DEFAULTS = {
    ("SSSE", "EF05", 0x02): "card_category",
    ("SSSE", "EF05", 0x04): "initialising_organisation",
}
_SPECIFICATION = ("SSSE", "EF05", 0x03)
FINGERPRINT_SIZE = 8


def default_text(profile: CardProfile, address: Address) -> str:
    """What stands in a field that the order does not bring: the profile's default, or nothing."""
    if address == _SPECIFICATION:
        return profile.specification
    return profile.defaults.get(_DEFAULTS.get(address, ""), "")


def brings_records(profile: CardProfile, file: FileSpec, columns: Container[str]) -> bool:
    """Whether the file gets records on the cards of an order with these columns."""
    if profile.files_made is FilesMade.ALL or not file.optional:
        return True
    return any(FieldKey(file.dedicated, file.name, spec.tag).column in columns for spec in file.fields)


class Slot(NamedTuple):
    """A field that a column fills: `place` is the column's, from 0."""

    address: Address
    column: str
    place: int
    spec: FieldSpec

    def encode(self, text: str) -> bytes:
        """The values of all its records, one after the other.

        Raises:
            CodecError: the text does not fit, with the column.
        """
        spec = self.spec
        try:
            if spec.count == 1 and spec.format is not FieldFormat.TLV:
                return codecs.encode(spec.format, spec.width, text)
            return b"".join(encode_field(spec, text))
        except CodecError as error:
            raise CodecError(f"{self.column}: {error}") from None


class Plan:
    """How the columns of an order become the values of a card of this profile."""

    def __init__(self, profile: CardProfile, columns: tuple[str, ...]) -> None:
        self.profile = profile
        self.columns = columns
        self.photo_room = sum(file.size for file in profile.files() if file.photo)
        self._fixed: dict[Address, tuple[bytes, ...]] = {}  # in the card's order, the slots' places held empty
        slots = []
        places = {column: place for place, column in enumerate(columns)}
        for address, (file, spec) in profile.fields.items():
            column = FieldKey(*address).column
            if address == IDENT_CODE or not brings_records(profile, file, places):
                continue
            if column in places:
                self._fixed[address] = ()
                slots.append(Slot(address, column, places[column], spec))
            else:
                self._fixed[address] = encode_field(spec, default_text(profile, address))
        self.slots = tuple(slots)
        counts = [(slot.spec.count, len(slot.encode("")) // slot.spec.count) for slot in slots]
        self._layout = struct.Struct("".join(f"{width}s" * count for count, width in counts))

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells this plan from every other: its columns, slots, and all that is the same on every card."""
        slots = [(slot.address, slot.place, slot.spec.format, slot.spec.width, slot.spec.count) for slot in self.slots]
        fixed = [(address, [value.hex() for value in values]) for address, values in self._fixed.items()]
        said = repr((self.profile.name, self.columns, slots, self._layout.format, fixed))
        return hashlib.sha256(said.encode()).digest()[:FINGERPRINT_SIZE]

    def encode(self, texts: Sequence[str]) -> bytes:
        """The slots' values of one holder, in a row.

        Raises:
            CodecError: the first value that does not fit its field, with the column.
        """
        return b"".join([slot.encode(texts[slot.place]) for slot in self.slots])

    def encode_all(self, rows: Sequence[Sequence[str]]) -> list[bytes | CodecError]:
        """The same for many holders, column by column: what many of them share is encoded once."""
        tables: list[list[bytes | CodecError]] = []
        for slot in self.slots:
            texts = [row[slot.place] for row in rows]
            table: dict[str, bytes | CodecError] = {}
            for text in dict.fromkeys(texts):
                try:
                    table[text] = slot.encode(text)
                except CodecError as error:
                    table[text] = error
            tables.append([table[text] for text in texts])
        return [_joined(values) for values in zip(*tables, strict=True)] if tables else [b""] * len(rows)

    def values(self, packed: bytes) -> Values:
        """The values of each field's records by address, fixed ones included, in the card's order.

        Raises:
            CodecError: not as many bytes as the slots have.
        """
        if len(packed) != self._layout.size:
            raise CodecError(f"the values of a card take {self._layout.size} bytes, these are {len(packed)}")
        parts = self._layout.unpack(packed)
        values = dict(self._fixed)
        start = 0
        for slot in self.slots:
            end = start + slot.spec.count
            values[slot.address] = parts[start:end]
            start = end
        return values


def _joined(values: tuple[bytes | CodecError, ...]) -> bytes | CodecError:
    try:
        return b"".join(values)  # type: ignore[arg-type]
    except TypeError:
        return next(value for value in values if isinstance(value, CodecError))


@lru_cache(maxsize=64)
def plan_of(profile: CardProfile, columns: tuple[str, ...]) -> Plan:
    """The plan for orders with these columns.

    Raises:
        CodecError: one of the profile's defaults does not fit its field.
    """
    return Plan(profile, columns)
