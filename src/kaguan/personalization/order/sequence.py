"""Whether an order's turn has come: not the same one again, not one from before, and none left out unnoticed.

An order belongs to a series: one vendor's orders of one kind for one city and bank, numbered on within the letters
that a batch number begins with. The register of the orders taken in is somebody else's; the rules are here.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.order.reading import OrderName

_NUMBERED = re.compile(r"(.*?)(\d{0,18})", re.ASCII)


class OutOfSequence(RuleBroken):
    """The order was taken in before, or later ones were; nothing was done."""


class Series(NamedTuple):
    """What orders share that are numbered one after the other; `prefix` is how their batch numbers begin."""

    vendor: str
    kind: str
    city: str
    bank: str
    prefix: str

    @classmethod
    def of(cls, name: OrderName) -> Series:
        """The series of the order with this name."""
        return cls(name.vendor, name.kind, name.city, name.bank, _parts(name.batch)[0])

    def __str__(self) -> str:
        """As it is told to an operator."""
        return f"{self.kind} orders of vendor {self.vendor} for city {self.city} and bank {self.bank}"


class Batch(NamedTuple):
    """One order of a series: its batch number, and the time in its name."""

    batch: str
    timestamp: str


class OrderRegister(Protocol):
    """The orders that the bureau took in. Answers are names of jobs, None when there is none."""

    def seen_digest(self, digest: str) -> str | None:
        """The job of the order file with this SHA-256."""

    def seen_batch(self, series: Series, batch: str) -> str | None:
        """The job of the order with this batch number."""

    def last_batch(self, series: Series) -> Batch | None:
        """The order of the series with the greatest batch number."""


def require_in_turn(name: OrderName, digest: str, register: OrderRegister) -> str:
    """The order is the next of its series, or goes beyond it: then the text says what is missing between; else empty.

    Refuses, in this sequence: the same file again, the same batch number again, a number or a time before the last.

    Raises:
        OutOfSequence: it was taken in before, or later ones were.
    """
    series = Series.of(name)
    if job := register.seen_digest(digest):
        raise OutOfSequence(f"this very order was taken in by job {job}: look there for its cards")
    if job := register.seen_batch(series, name.batch):
        raise OutOfSequence(
            f"batch {name.batch} was taken in by job {job}, with other content: ask the sender which of the two holds"
        )
    last = register.last_batch(series)
    if last is None:
        return ""
    number, last_number = _parts(name.batch)[1], _parts(last.batch)[1]
    if number < last_number:
        raise OutOfSequence(
            f"batch {name.batch} comes after {last.batch} of the {series}: "
            "ask the sender why, and have it sent under a new number"
        )
    if name.timestamp < last.timestamp:
        raise OutOfSequence(
            f"batch {name.batch} was made at {name.timestamp}, before {last.batch} at {last.timestamp}: "
            "ask the sender which clock or number is wrong"
        )
    missing = number - last_number - 1
    if missing <= 0:
        return ""
    return f"{missing} batch{'es' if missing > 1 else ''} between {last.batch} and {name.batch} did not come: {series}"


def _parts(batch: str) -> tuple[str, int]:
    """What a batch number begins with, and the number that it ends with."""
    match = _NUMBERED.fullmatch(batch)
    assert match is not None  # noqa: S101 - every text matches
    return match[1], int(match[2] or 0)
