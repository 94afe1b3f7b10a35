"""Data preparation: from a holder's row to the bytes of every field on the card.

What only the chip can complete, its card identification code, is left to the station.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kaguan.apdu.codecs import encode
from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import CardProfile, FieldSpec
from kaguan.personalization.order import Holder
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
    """Everything that the recipe writes: field values by (DF, EF, tag), the photo, the first PIN."""

    card_no: str
    values: Mapping[Address, bytes]
    photo: bytes
    pin: Pin

    def __repr__(self) -> str:
        """The card's number alone: the rest is personal, or secret."""
        return f"<PersoRecord {self.card_no}>"


def prepare(profile: CardProfile, holder: Holder, photo: bytes) -> PersoRecord:
    """The record for this holder. Fields that the order does not bring are empty, or the profile's defaults.

    Raises:
        CodecError: a value does not fit its field, with the column; or the photo does not fit its file.
    """
    values = {
        address: _value(profile, holder, address, spec)
        for address, (_, spec) in profile.fields.items()
        if address != IDENT_CODE
    }
    room = sum(file.size for file in profile.files() if file.photo)
    if len(photo) > room:
        raise CodecError(f"the photo has {len(photo)} bytes, the card has room for {room}")
    return PersoRecord(holder.card_no, values, photo, Pin.of(profile.defaults["initial_pin"]))


def _value(profile: CardProfile, holder: Holder, address: Address, spec: FieldSpec) -> bytes:
    text = holder.field(*address)
    if text is None:
        text = default_text(profile, address)
    try:
        return encode(spec.format, spec.width, text)
    except CodecError as error:
        column = f"{address[0]}{address[1]}{address[2]:02x}".lower()
        raise CodecError(f"{column}: {error}") from None


def default_text(profile: CardProfile, address: Address) -> str:
    """What stands in a field that the order does not bring: the profile's default, or nothing."""
    if address == _SPECIFICATION:
        return profile.specification
    return profile.defaults.get(_DEFAULTS.get(address, ""), "")
