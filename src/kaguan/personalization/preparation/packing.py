"""One card's record as bytes, to be sealed.

Layout: version (1), the plan's fingerprint (8), then in MessagePack the line, the row, the task's number, the columns'
texts, the slots' values in a row (nil when the row was refused), and the photo. Names, and what is the same on every
card, are the plan's; its fingerprint keeps a station with another profile from reading one field as another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from kaguan.apdu.errors import InputError
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.preparation.plan import FINGERPRINT_SIZE, Plan
from kaguan.personalization.preparation.record import PersoRecord, initial_pin
from kaguan.vault.secret import Pin

VERSION = 1
_HEAD_SIZE = 1 + FINGERPRINT_SIZE
_TYPES: tuple[type | tuple[type, ...], ...] = (int, int, str, list, (bytes, type(None)), bytes)


class RecordUnknown(InputError):
    """A record was prepared by another version of Kaguan, or for another profile or other columns."""


def pack(
    plan: Plan, line: int, row: int, task_id: str, texts: Sequence[str], values: bytes | None, photo: bytes
) -> bytes:
    """The record's bytes; `values` are what `plan.encode` gives, None for a row that gets no card."""
    body: bytes = msgpack.packb((line, row, task_id, texts, values, photo))
    return bytes([VERSION]) + plan.fingerprint + body


def unpack(plan: Plan, packed: bytes, *, pin: Pin | None = None) -> tuple[Holder, PersoRecord | None]:
    """The holder, and what goes onto the card with this first PIN, or the profile's; None when the row was refused.

    Raises:
        RecordUnknown: another version or another plan.
    """
    if packed[:1] != bytes([VERSION]):
        raise RecordUnknown(f"the record is of version {packed[0] if packed else 'none'}, this Kaguan reads {VERSION}")
    if packed[1:_HEAD_SIZE] != plan.fingerprint:
        raise RecordUnknown(
            f"the record was prepared for another profile than this {plan.profile.name}, or for other columns: "
            "give the station the profile that the job was prepared with"
        )
    line, row, task_id, texts, values, photo = _body(packed[_HEAD_SIZE:])
    holder = Holder(line, row, task_id, dict(zip(plan.columns, texts, strict=True)))
    if values is None:
        return holder, None
    first_pin = initial_pin(plan.profile) if pin is None else pin
    return holder, PersoRecord(holder.card_no, plan.values(values), photo, first_pin)


def _body(raw: bytes) -> tuple[Any, ...]:
    try:
        body = msgpack.unpackb(raw, use_list=True)
    except (ValueError, msgpack.UnpackException):
        body = None
    parts = tuple(body) if isinstance(body, list) else ()
    if len(parts) != len(_TYPES) or not all(isinstance(part, kind) for part, kind in zip(parts, _TYPES, strict=True)):
        raise RecordUnknown("the record is not what this version of Kaguan writes")
    return parts
