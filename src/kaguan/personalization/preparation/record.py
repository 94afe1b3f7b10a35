"""Data preparation: from a holder's row to the bytes of every field on the card.

What only the chip can complete, its card identification code, is left to the station.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import CardProfile, FieldSpec, FileSpec
from kaguan.card_os.profile.model import FilesMade
from kaguan.card_os.profile.values import encode_field
from kaguan.personalization.order.reading import Holder
from kaguan.vault.secret import Pin

IDENT_CODE = ("SSSE", "EF05", 0x01)
_DEFAULTS = {
    ("SSSE", "EF05", 0x02): "card_category",
    ("SSSE", "EF05", 0x04): "initialising_organisation",
}
_SPECIFICATION = ("SSSE", "EF05", 0x03)


Address = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class PersoRecord:
    """Everything that the recipe writes: the values of each field's records by (DF, EF, tag), the photo, the first PIN.

    A field that is absent here gets no record.
    """

    card_no: str
    values: Mapping[Address, tuple[bytes, ...]]
    photo: bytes
    pin: Pin

    def __repr__(self) -> str:
        """The card's number alone: the rest is personal, or secret."""
        return f"<PersoRecord {self.card_no}>"


def prepare(profile: CardProfile, holder: Holder, photo: bytes) -> PersoRecord:
    """The record for this holder. Fields that the order does not bring are empty, or the profile's defaults.

    Where the profile makes ordered files alone, an optional file gets no records when the order has no column for it.

    Raises:
        CodecError: a value does not fit its field, with the column; or the photo does not fit its file.
    """
    blanks = _blanks(profile)
    values = {
        (file.dedicated, file.name, spec.tag): _value(profile, holder, file, spec, blanks)
        for file in profile.files()
        if file.fields and gets_records(profile, holder, file)
        for spec in file.fields
    }
    del values[IDENT_CODE]
    room = sum(file.size for file in profile.files() if file.photo)
    if len(photo) > room:
        raise CodecError(f"the photo has {len(photo)} bytes, the card has room for {room}")
    return PersoRecord(holder.card_no, values, photo, Pin.of(profile.defaults["initial_pin"]))


def gets_records(profile: CardProfile, holder: Holder, file: FileSpec) -> bool:
    """Whether the file gets records on this holder's card."""
    if profile.files_made is FilesMade.ALL or not file.optional:
        return True
    return any(holder.field(file.dedicated, file.name, spec.tag) is not None for spec in file.fields)


@cache
def _blanks(profile: CardProfile) -> Mapping[Address, tuple[bytes, ...]]:
    """The records of every field without a value: most fields of most cards."""
    return {address: encode_field(spec, "") for address, (_, spec) in profile.fields.items()}


def _value(
    profile: CardProfile, holder: Holder, file: FileSpec, spec: FieldSpec, blanks: Mapping[Address, tuple[bytes, ...]]
) -> tuple[bytes, ...]:
    address = (file.dedicated, file.name, spec.tag)
    text = holder.field(*address)
    if text is None:
        text = default_text(profile, address)
    if not text:
        return blanks[address]
    try:
        return encode_field(spec, text)
    except CodecError as error:
        column = f"{address[0]}{address[1]}{address[2]:02x}".lower()
        raise CodecError(f"{column}: {error}") from None


def default_text(profile: CardProfile, address: Address) -> str:
    """What stands in a field that the order does not bring: the profile's default, or nothing."""
    if address == _SPECIFICATION:
        return profile.specification
    return profile.defaults.get(_DEFAULTS.get(address, ""), "")
