"""What two people decide about chips and cards: scrap, samples, cards made again, chips declared lost.

Law 1. Each decision is stored whole, with its entry in the trail, or not at all; asked for twice it is done once.
Law 2. A chip that left the good ones never comes back: its serial number is dead, and named in `dead_cards`.
Law 3. No decision changes how many chips a shift has had; each moves chips from one count to another.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, exists, func, select, update

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.operators import TwoPeople, require_operators
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip, job, now_seconds, pin, shift

REMAKE_PRIORITY = 100
"""Rows that are made again come before ordinary ones, whose priority is 0."""

MOST_REASON = 120
_AT_ONCE = 500
_LONG_NUMBER = re.compile(r"\d{8}")


class DeadCard(NamedTuple):
    """A card that was good once and is dead: whoever meets it must refuse it."""

    number: int
    serial: str
    ident_code: bytes
    fate: Fate
    reason: str
    settled_at: float


def scrap(this: Job, people: TwoPeople, reason: str, *, serials: Collection[str] | None = None) -> list[str]:
    """The rejected chips with these serial numbers, or all, are destroyed; the list of those that were not before.

    Raises:
        RuleBroken: one of them is not in the reject bin; then none is scrapped.
        NotAuthenticated, InputError: as `require_operators` and `checked_reason` say.
    """
    why = checked_reason(reason)
    with this.bureau.transaction() as connection:
        _begin(connection, this, people)
        wanted = None if serials is None else {serial.upper() for serial in serials}
        rejected = _chips(connection, this, Fate.REJECTED, wanted)
        if wanted is not None:
            missing = wanted - rejected.keys() - _chips(connection, this, Fate.SCRAP, wanted).keys()
            if missing:
                raise RuleBroken(f"not in the reject bin of job {this.terms.name}: {', '.join(sorted(missing))}")
        keys = [key for found in rejected.values() for key in found]
        for start in range(0, len(keys), _AT_ONCE):
            change = update(chip).where(chip.c.id.in_(keys[start : start + _AT_ONCE]), chip.c.fate == Fate.REJECTED)
            connection.execute(change.values(fate=Fate.SCRAP, settled_at=now_seconds()))
        for serial in sorted(rejected):
            _note(connection, this, people, "chip scrapped", serial=serial, reason=why)
    return sorted(rejected)


def remake(this: Job, people: TwoPeople, number: int, reason: str, *, serial: str = "") -> bool:
    """The row's good card is dead and the row waits to be made again, before others; so does a row without a card.

    False when nothing was to be done: the row waits already, or this serial is dead already. A job that was closed is
    open again. `serial` says which card is meant; a row that was made again before needs it.

    Raises:
        RuleBroken: there is no such row or no such card, or the job's personal data is purged.
        NotAuthenticated, InputError: as for `scrap`.
    """
    return _made_again(this, people, number, serial, Fate.SCRAP, checked_reason(reason))


def draw_sample(this: Job, people: TwoPeople, number: int, reason: str, *, serial: str = "") -> bool:
    """The row's good card is drawn to be tested to destruction, and the row waits to be made again; as `remake`."""
    return _made_again(this, people, number, serial, Fate.SAMPLE, checked_reason(reason))


def declare_lost(this: Job, people: TwoPeople, machine: str, chips: int, reason: str) -> bool:
    """So many blank chips of the machine's open shift are lost, in all, and count as scrap; False when they did before.

    Raises:
        RuleBroken: no shift of the machine is open, or not so many are missing.
        NotAuthenticated, InputError: as for `scrap`.
    """
    why = checked_reason(reason)
    with this.bureau.transaction() as connection:
        _begin(connection, this, people)
        query = select(shift).where(shift.c.job == this.key, shift.c.machine == machine, shift.c.closed_at.is_(None))
        row = connection.execute(query.with_for_update()).first()
        if row is None:
            raise RuleBroken(f"machine {machine} has no open shift for job {this.terms.name}")
        if row.lost == chips:
            return False
        used = connection.execute(select(func.count()).where(chip.c.shift == row.id)).scalar_one()
        if not 0 <= chips <= row.opening - used:
            raise RuleBroken(f"{row.opening} chips were handed out and {used} were used: {chips} cannot be lost")
        connection.execute(update(shift).where(shift.c.id == row.id).values(lost=chips))
        _note(connection, this, people, "chips lost", shift=row.id, chips=chips, before=row.lost, reason=why)
    return True


def dead_cards(this: Job) -> list[DeadCard]:
    """Every card of the job that was good once and is dead, in the order in which they died."""
    columns = (chip.c.number, chip.c.serial, chip.c.ident_code, chip.c.fate, chip.c.reason, chip.c.settled_at)
    query = select(*columns).where(chip.c.job == this.key, chip.c.ident_code.is_not(None)).order_by(chip.c.settled_at)
    with this.bureau.transaction() as connection:
        rows = connection.execute(query).all()
    return [DeadCard(row[0], row[1], bytes(row[2]), Fate(row[3]), row[4], row[5]) for row in rows]


def checked_reason(text: str) -> str:
    """The reason in one line.

    Raises:
        InputError: it is empty, too long, or has a long number in it, which may be a person's or a card's.
    """
    reason = " ".join(text.split())
    if not reason or len(reason) > MOST_REASON or not reason.isprintable():
        raise InputError(f"a reason has 1 to {MOST_REASON} printable characters")
    if _LONG_NUMBER.search(reason):
        raise InputError("a reason is kept for good: put no numbers of people or cards into it")
    return reason


def _made_again(this: Job, people: TwoPeople, number: int, serial: str, fate: Fate, why: str) -> bool:
    with this.bureau.transaction() as connection:
        _begin(connection, this, people)
        query = select(card).where(card.c.job == this.key, card.c.number == number).with_for_update()
        row = connection.execute(query).first()
        if row is None or row.state == State.REFUSED or row.sealed is None:
            raise RuleBroken(f"job {this.terms.name} has no row {number} of which a card can be made")
        dead = _dead_serials(connection, this, number)
        if row.state in (State.PENDING, State.CLAIMED) or serial.upper() in dead:
            return False
        if row.state == State.GOOD:
            _require_meant(row, serial.upper(), dead)
            _kill(connection, this, row, fate, why)
        elif fate is Fate.SAMPLE:
            raise RuleBroken(f"row {number} has no good card that could be a sample")
        fresh = {"failures": 0, "lapses": 0, "stage": None, "reason": None, "serial": None, "ident_code": None}
        waits = {"state": State.PENDING, "priority": REMAKE_PRIORITY, "finished_at": None, "station": None}
        own = update(card).where(card.c.job == this.key, card.c.number == number)
        connection.execute(own.values(**fresh, **waits))
        reopened = update(job).where(job.c.id == this.key, job.c.state == JobState.CLOSED)
        connection.execute(reopened.values(state=JobState.OPEN, closed_at=None))
        action = "sample drawn" if fate is Fate.SAMPLE else "card to be made again"
        _note(connection, this, people, action, number=number, serial=row.serial, reason=why)
    return True


def _require_meant(row: Row[Any], serial: str, dead: set[str]) -> None:
    if serial and serial != row.serial:
        raise RuleBroken(f"row {row.number} has no good card {serial}: its card is {row.serial}")
    if not serial and dead:
        raise RuleBroken(f"row {row.number} was made again before: to do it once more say --serial {row.serial}")


def _kill(connection: Connection, this: Job, row: Row[Any], fate: Fate, why: str) -> None:
    good = [chip.c.job == this.key, chip.c.number == row.number, chip.c.serial == row.serial]
    change = update(chip).where(*good, chip.c.fate == Fate.GOOD)
    values = {"fate": fate, "reason": why, "settled_at": now_seconds(), "ident_code": row.ident_code}
    assert connection.execute(change.values(**values)).rowcount == 1  # noqa: S101 - law 3 of claims
    # The card that takes its place has a PIN of its own.
    connection.execute(delete(pin).where(pin.c.job == this.key, pin.c.number == row.number))


def _dead_serials(connection: Connection, this: Job, number: int) -> set[str]:
    known = [chip.c.job == this.key, chip.c.number == number, chip.c.ident_code.is_not(None)]
    return set(connection.execute(select(chip.c.serial).where(*known)).scalars())


def _chips(connection: Connection, this: Job, fate: Fate, serials: set[str] | None) -> dict[str, list[int]]:
    """Keys of the job's chips of this fate, by serial number; without those that are in work or cards elsewhere."""
    found: dict[str, list[int]] = {}
    other = chip.alias()
    turned_up = exists().where(other.c.serial == chip.c.serial, other.c.fate.in_([Fate.AT_WORK, Fate.GOOD]))
    bin_ = select(chip.c.id, chip.c.serial).where(chip.c.job == this.key, chip.c.fate == fate, ~turned_up)
    for key, serial in connection.execute(bin_):
        if serials is None or serial in serials:
            found.setdefault(serial, []).append(key)
    return found


def _begin(connection: Connection, this: Job, people: TwoPeople) -> None:
    require_operators(connection, people)
    row = connection.execute(select(job.c.state, job.c.purged_at).where(job.c.id == this.key)).one()
    if row.state == JobState.PREPARING:
        raise RuleBroken("the job has not taken its order in yet: run 'kaguan perso run' again")
    if row.purged_at is not None:
        raise RuleBroken("the job's personal data is purged: nothing of it can be changed or made again")


def _note(connection: Connection, this: Job, people: TwoPeople, action: str, **details: str | int | None) -> None:
    note(connection, this.key, people.asked, action, approved_by=people.approved, **details)
