"""A card at the counter: one row of an open job jumps the queue and is made at once, in this process.

The job's other stations go on meanwhile; also a paused job makes such a card.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import RuleBroken
from kaguan.durable import locked
from kaguan.personalization.care.envelope import Recipient, write_for
from kaguan.personalization.job.claims import MOST_ATTEMPTS, Claims
from kaguan.personalization.job.control import row_state
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import State
from kaguan.personalization.job.shifts import BalanceOpen, balances, close_shift, issue_chips, open_shift, shift_of
from kaguan.personalization.line.places import OpenJob
from kaguan.personalization.line.results import good_rows
from kaguan.personalization.order.returnfile import write_return
from kaguan.personalization.station.process import CARDS, EMULATOR, STATIONS_LOCK
from kaguan.personalization.station.reader_stock import ReaderStock
from kaguan.personalization.station.sampling import ALL
from kaguan.personalization.station.station import Bench, Station
from kaguan.personalization.station.stock import EmulatedStock, Stock

_WHY_NOT = {
    State.GOOD: "has its card: to make it again takes 'kaguan perso remake'",
    State.CLAIMED: "is in work at a station: it comes by itself",
    State.REJECTED: "was given up: to try again takes 'kaguan perso remake'",
    State.REFUSED: "was refused when the order came in: no card can be made of it",
}


class Counter(NamedTuple):
    """Where the card is made: the machine, the folder for the return row and an emulated card, or the reader; and
    for whom the return row is sealed."""

    machine: str
    folder: Path
    reader: str = ""
    operator: str = "counter"
    seal_for: Recipient | None = None


class Instant(NamedTuple):
    """The card that was made: its row, the file with its return row, and how long it took from the claim to that."""

    row: int
    return_row: Path
    seconds: float


def make_now(opened: OpenJob, number: int, counter: Counter, tell: Callable[[str], None]) -> Instant:
    """The row's card is made, checked, and its return row written.

    `tell` says what the operator of a real reader has to do.
    Raises:
        RuleBroken: the row is not waiting, the job takes no cards, or no good card came of it.
        LinkError, VaultError, DatabaseGone, OSError: as `Station.work` says; the row then waits again.
    """
    job, cards = opened.job, counter.folder / CARDS
    if row_state(job, number) is not State.PENDING:
        raise RuleBroken(f"row {number} of job {job.terms.name} {_why_not(job, number)}")
    cards.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        stack.enter_context(locked(counter.folder / STATIONS_LOCK, f"the stations of {counter.folder}", shared=True))
        claims = Claims(job, f"{counter.machine}/counter", _shift(stack, job, counter))
        stack.callback(claims.release)
        station = Station(claims, _bench(opened, counter, cards, tell))
        started = time.monotonic()
        for _ in range(MOST_ATTEMPTS):
            found = claims.claim(1, number=number)
            if not found:
                break
            station.prepare(found)
            if station.work(found[0]):
                path = _write_return_row(opened, number, counter)
                return Instant(number, path, time.monotonic() - started)
    raise RuleBroken(f"row {number} of job {job.terms.name} {_why_not(job, number)}")


def _bench(opened: OpenJob, counter: Counter, cards: Path, tell: Callable[[str], None]) -> Bench:
    terms, stock = opened.job.terms, _stock(opened, counter, cards, tell)
    return Bench(opened.records, opened.vault, opened.profile, terms.region, stock, ALL)


def _stock(opened: OpenJob, counter: Counter, cards: Path, tell: Callable[[str], None]) -> Stock:
    if opened.job.terms.backend == EMULATOR:
        return EmulatedStock(opened.profile, cards)
    if not counter.reader:
        raise RuleBroken(f"job {opened.job.terms.name} is made on real chips: name the --reader")
    return ReaderStock(counter.reader, tell, lambda: False)


def _shift(stack: ExitStack, job: Job, counter: Counter) -> int:
    """The machine's open shift; when it has none, one for this card alone, whose chips are counted as they come."""
    shift = shift_of(job, counter.machine)
    if shift is not None:
        return shift
    own = open_shift(job, counter.machine, time.strftime("%Y-%m-%d") + " counter", counter.operator, 0)
    stack.callback(_close_own, job, own, counter)
    return own


def _close_own(job: Job, shift: int, counter: Counter) -> None:
    (balance,) = (found for found in balances(job) if found.shift == shift)
    if balance.missing < 0:
        issue_chips(job, shift, counter.operator, -balance.missing)
    with suppress(BalanceOpen):
        close_shift(job, shift, counter.operator, 0)


def _write_return_row(opened: OpenJob, number: int, counter: Counter) -> Path:
    rows = good_rows(opened.job, opened.records, number=number)
    path = counter.folder / f"return-row-{number}.txt"
    return write_for(counter.seal_for, path, lambda file: write_return(file, rows))


def _why_not(job: Job, number: int) -> str:
    state = row_state(job, number)
    if state is None:
        return "does not exist"
    return _WHY_NOT.get(state, f"was not made: the job is {job.state}")
