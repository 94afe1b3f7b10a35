"""What a chip says of itself, what the books say of it, and where the two disagree.

Law. What is on its way explains either of two states, and no third one.
Law. What could not be read is no disagreement: it is read the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kaguan.cms.rules.lifecycle import Pin


class Facet(StrEnum):
    """What a case about a chip is about: five things that can disagree, and three steps that can be left half done.

    The books know of a step before the chip does it; the chip's answer ends it.
    """

    PURSE = "purse"
    LOAD_NUMBER = "load number"
    PURCHASE_NUMBER = "purchase number"
    RECORD = "activation record"
    PIN = "PIN"
    APPLICATION = "application"
    PIN_STEP = "PIN being written"
    LOCK_STEP = "application being locked"
    BLOCK_STEP = "chip being blocked"


class ChipApplication(StrEnum):
    """Whether the chip's medical application serves, is blocked, or the chip as a whole is dead."""

    SERVING = "serving"
    BLOCKED = "blocked"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ChipState:
    """What the chip answered; None, or no record, is what it was not asked or did not tell. Amounts are in fen.

    The numbers are those that its next load and its next purchase will have.
    """

    application: ChipApplication
    pin_tries_left: int | None = None
    balance_fen: int | None = None
    load_number: int | None = None
    purchase_number: int | None = None
    records: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BooksState:
    """What the books say that the chip should answer. Amounts are in fen.

    `on_its_way_fen` is what an open load or purchase has taken out of the purse's account, or not yet put there.
    With so many tries left as `tries_when_blocked`, or fewer, the PIN counts as blocked. `record` is the number of the
    insurance record, from 1, and the texts that it may have.
    """

    applications: frozenset[ChipApplication]
    pin: Pin
    pin_open: bool = False
    tries_when_blocked: int = 0
    purse_fen: int = 0
    on_its_way_fen: int = 0
    load_numbers: frozenset[int] = frozenset()
    purchase_numbers: frozenset[int] = frozenset()
    record: tuple[int, frozenset[str]] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that chip and books tell differently; `more_fen` is what the chip's purse has more, or less."""

    facet: Facet
    books: str
    chip: str
    more_fen: int = 0


def differences(books: BooksState, chip: ChipState, *, wants_purse: bool = False) -> tuple[Difference, ...]:
    """Return everything that the two tell differently, in the order of `Facet`; a dead chip tells that it is dead.

    With `wants_purse` a balance that was not told is a difference: the chip will not be asked again.
    """
    if chip.application is ChipApplication.DEAD:
        return tuple(_application(books, chip))
    return (
        *_purse(books, chip, wants_purse=wants_purse),
        *_number(Facet.LOAD_NUMBER, books.load_numbers, chip.load_number),
        *_number(Facet.PURCHASE_NUMBER, books.purchase_numbers, chip.purchase_number),
        *_record(books, chip),
        *_pin(books, chip),
        *_application(books, chip),
    )


def _purse(books: BooksState, chip: ChipState, *, wants_purse: bool) -> Iterator[Difference]:
    told = f"{books.purse_fen} fen"
    if books.on_its_way_fen:
        told += f", or {books.purse_fen + books.on_its_way_fen} fen when what is open went that way"
    found_fen = chip.balance_fen
    if found_fen is None:
        if wants_purse:
            yield Difference(Facet.PURSE, told, "it does not tell")
    elif found_fen not in {books.purse_fen, books.purse_fen + books.on_its_way_fen}:
        yield Difference(Facet.PURSE, told, f"{found_fen} fen", found_fen - books.purse_fen)


def _number(facet: Facet, expected: frozenset[int], found: int | None) -> Iterator[Difference]:
    if expected and found is not None and found not in expected:
        yield Difference(facet, " or ".join(map(str, sorted(expected))), str(found))


def _record(books: BooksState, chip: ChipState) -> Iterator[Difference]:
    if books.record is None or not chip.records:
        return
    number, texts = books.record
    found = chip.records[number - 1] if number <= len(chip.records) else ""
    if found not in texts:
        yield Difference(Facet.RECORD, f"record {number}: {' or '.join(sorted(texts))}", found or "nothing")


def _pin(books: BooksState, chip: ChipState) -> Iterator[Difference]:
    left = chip.pin_tries_left
    if left is None or books.pin_open or books.pin is Pin.VOID:
        return
    blocked = left <= books.tries_when_blocked
    if blocked != (books.pin is Pin.BLOCKED):
        yield Difference(Facet.PIN, books.pin.name.lower(), f"{left} tries left")


def _application(books: BooksState, chip: ChipState) -> Iterator[Difference]:
    if chip.application not in books.applications:
        yield Difference(Facet.APPLICATION, " or ".join(sorted(books.applications)), chip.application.value)


class Remedy(StrEnum):
    """How two people settle a case: it is explained and nothing moves, or the books' purse becomes what the chip is."""

    EXPLAINED = "explained"
    BOOKS_FOLLOW = "books follow the chip"
