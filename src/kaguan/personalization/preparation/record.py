"""Data preparation: from a holder's row to the bytes of every field on the card.

What only the chip can complete, its card identification code, is left to the station.
"""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.apdu.errors import CodecError
from kaguan.card_os.profile import CardProfile, FileSpec
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.preparation.plan import IDENT_CODE, Address, Values, brings_records, default_text, plan_of
from kaguan.vault.secret import Pin

__all__ = ["IDENT_CODE", "Address", "PersoRecord", "default_text", "gets_records", "initial_pin", "prepare"]


@dataclass(frozen=True, slots=True)
class PersoRecord:
    """Everything that the recipe writes: the values of each field's records by (DF, EF, tag), the photo, the first PIN.

    A field that is absent here gets no record.
    """

    card_no: str
    values: Values
    photo: bytes
    pin: Pin

    def __repr__(self) -> str:
        """Nothing of it: all is personal, or secret."""
        return "<PersoRecord>"


def prepare(profile: CardProfile, holder: Holder, photo: bytes) -> PersoRecord:
    """The record for this holder. Fields that the order does not bring are empty, or the profile's defaults.

    Where the profile makes ordered files alone, an optional file gets no records when the order has no column for it.

    Raises:
        CodecError: a value does not fit its field, with the column; or the photo does not fit its file.
    """
    plan = plan_of(profile, tuple(holder.columns))
    values = plan.values(plan.encode(tuple(holder.columns.values())))
    if len(photo) > plan.photo_room:
        raise CodecError(too_large(photo, plan.photo_room))
    return PersoRecord(holder.card_no, values, photo, initial_pin(profile))


def too_large(photo: bytes, room: int) -> str:
    """Why this photo cannot be on the card."""
    return f"the photo has {len(photo)} bytes, the card has room for {room}"


def initial_pin(profile: CardProfile) -> Pin:
    """The PIN of a card that brings none of its own."""
    return Pin.of(profile.defaults["initial_pin"])


def gets_records(profile: CardProfile, holder: Holder, file: FileSpec) -> bool:
    """Whether the file gets records on this holder's card."""
    return brings_records(profile, file, holder.columns)
