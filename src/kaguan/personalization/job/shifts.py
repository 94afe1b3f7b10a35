"""Blank chips: handed to a machine for a shift, counted back at its end, and every one accounted for.

Law. opening = good + rejected + returned + samples + scrap, for each shift, each machine and each job; a job does not
close until it is so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.operators import TwoPeople, require_operators
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip, job, now_seconds, shift


class BalanceOpen(RuleBroken):
    """The count of chips does not close."""


class Balance(NamedTuple):
    """Where the chips of one shift are. `returned` is None until they are counted back; `scrap` holds the lost ones."""

    shift: int
    machine: str
    name: str
    opening: int
    good: int
    rejected: int
    returned: int | None
    samples: int
    scrap: int
    at_work: int
    lost: int

    @property
    def used(self) -> int:
        """Chips that reached the machine, or were lost on the way."""
        return self.good + self.rejected + self.samples + self.scrap + self.at_work

    @property
    def missing(self) -> int:
        """Chips that nobody can tell of; less than 0 when there are more than were handed out."""
        return self.opening - self.used - (self.returned or 0)

    @property
    def closed(self) -> bool:
        """Whether all is counted and nothing is missing."""
        return self.returned is not None and not self.at_work and not self.missing


def open_shift(this: Job, machine: str, name: str, by: str, chips: int) -> int:
    """The number of the shift that this machine works in now, begun with so many blank chips.

    Raises:
        RuleBroken: a shift of this machine is open for the job, or the job is closed.
    """
    try:
        with this.bureau.transaction() as connection:
            return _open(connection, this, machine, name, by, chips)
    except IntegrityError:
        raise RuleBroken(f"machine {machine} has an open shift for job {this.terms.name}: close it first") from None


def shift_of(this: Job, machine: str) -> int | None:
    """The open shift of this machine, if there is one."""
    query = select(shift.c.id).where(shift.c.job == this.key, shift.c.machine == machine, shift.c.closed_at.is_(None))
    key: int | None = this.bureau.durably(lambda on: on.execute(query).scalar_one_or_none(), statement=True)
    return key


def issue_chips(this: Job, key: int, by: str, chips: int) -> None:
    """The open shift has so many blank chips more."""
    change = update(shift).where(shift.c.id == key, shift.c.closed_at.is_(None))
    with this.bureau.transaction() as connection:
        if not connection.execute(change.values(opening=shift.c.opening + chips)).rowcount:
            raise RuleBroken("the shift is closed: open another")
        note(connection, this.key, by, "chips issued", shift=key, chips=chips)


def close_shift(this: Job, key: int, by: str, returned: int) -> Balance:
    """The shift is over: so many blank chips came back, and all the others are accounted for. Asked twice it is done
    once.

    Raises:
        BalanceOpen: chips are missing, too many, or still in work, or stations of the machine hold rows.
        RuleBroken: it is over already, and another number came back.
    """
    with this.bureau.transaction() as connection:
        return _close(connection, this, key, by, returned)


def hand_over(this: Job, machine: str, people: TwoPeople, counted: int, name: str, *, more: int = 0) -> Balance:
    """The machine's shift is closed with the blank chips that both have counted, and the next begins with them and so
    many more; the balance of the one that is over.

    `people.asked` gives, `people.approved` takes over.
    Raises:
        BalanceOpen: as for `close_shift`.
        RuleBroken: no shift of the machine is open.
    """
    with this.bureau.transaction() as connection:
        require_operators(connection, people)
        query = select(shift.c.id).where(
            shift.c.job == this.key, shift.c.machine == machine, shift.c.closed_at.is_(None)
        )
        key = connection.execute(query).scalar_one_or_none()
        if key is None:
            raise RuleBroken(f"machine {machine} has no open shift for job {this.terms.name}")
        closed = _close(connection, this, key, people.asked, counted)
        _open(connection, this, machine, name, people.approved, counted + more)
        return closed


def balances(this: Job) -> list[Balance]:
    """Where the chips are, a row for each shift of each machine."""
    return this.bureau.durably(lambda on: _balances(on, this, None))


def what_is_open(this: Job) -> list[str]:
    """Why the job cannot be closed yet, a line each; none when it can."""
    with this.bureau.transaction() as connection:
        return _what_is_open(connection, this)


def close_job(this: Job, by: str) -> bool:
    """The job is closed: every row is settled and every chip is accounted for; False when it was closed before.

    Raises:
        RuleBroken: rows are open, or the order is still coming in.
        BalanceOpen: the count of a shift does not close.
    """
    states = [JobState.OPEN, JobState.PAUSED, JobState.DRAINING]
    change = update(job).where(job.c.id == this.key, job.c.state.in_(states))
    with this.bureau.transaction() as connection:
        moved = connection.execute(change.values(state=JobState.CLOSED, closed_at=now_seconds())).rowcount
        if moved and (lines := _what_is_open(connection, this)):
            raise BalanceOpen(f"job {this.terms.name} does not close: {'; '.join(lines)}")
        if moved:
            note(connection, this.key, by, "job closed")
            return True
    if this.state is JobState.PREPARING:
        raise RuleBroken(f"job {this.terms.name} has not taken its order in yet")
    return False


def _open(connection: Connection, this: Job, machine: str, name: str, by: str, chips: int) -> int:
    # `close_job` changes this row before it counts, so either it sees the shift or the shift is not opened.
    state = select(job.c.state).where(job.c.id == this.key).with_for_update(read=True)
    if connection.execute(state).scalar_one() == JobState.CLOSED:
        raise RuleBroken(f"job {this.terms.name} is closed: nothing is left to be made of it")
    values = {"machine": machine, "name": name, "opened_by": by, "opening": chips, "opened_at": now_seconds()}
    new = insert(shift).values(job=this.key, **values).returning(shift.c.id)
    key = int(connection.execute(new).scalar_one())
    note(connection, this.key, by, "shift opened", shift=key, machine=machine, name=name, chips=chips)
    return key


def _close(connection: Connection, this: Job, key: int, by: str, returned: int) -> Balance:
    # Stations share this lock while they take a chip.
    connection.execute(select(shift.c.id).where(shift.c.id == key).with_for_update())
    (found,) = _balances(connection, this, [key])
    if found.returned is not None:
        if found.returned != returned:
            raise RuleBroken(f"shift {found.name} is closed already, with {found.returned} chips that came back")
        return found
    counted = found._replace(returned=returned)
    if not counted.closed:
        raise BalanceOpen(_told(counted))
    own = card.c.station.startswith(f"{found.machine}/", autoescape=True)
    held = select(func.count()).where(card.c.job == this.key, card.c.state == State.CLAIMED, own)
    if rows := connection.execute(held).scalar_one():
        raise BalanceOpen(
            f"stations of machine {found.machine} hold {rows} rows: 'kaguan perso pause' the job, then close the shift"
        )
    change = update(shift).where(shift.c.id == key)
    connection.execute(change.values(returned=returned, closed_by=by, closed_at=now_seconds()))
    note(connection, this.key, by, "shift closed", shift=key, returned=returned)
    return counted


def _what_is_open(connection: Connection, this: Job) -> list[str]:
    waits = [card.c.job == this.key, card.c.state.in_([State.PENDING, State.CLAIMED])]
    rows = connection.execute(select(func.count()).where(*waits)).scalar_one()
    lines = [f"{rows} rows of job {this.terms.name} are open: run it to the end first"] if rows else []
    return lines + [_told(balance) for balance in _balances(connection, this, None) if not balance.closed]


def _told(balance: Balance) -> str:
    where = f"shift {balance.name} of machine {balance.machine}"
    if balance.at_work:
        return f"{where}: {balance.at_work} chips are still in work"
    if balance.returned is None:
        return f"{where}: its blank chips are not counted back yet"
    parts = (
        f"{balance.opening} handed out, {balance.good} good, {balance.rejected} rejected, {balance.returned} returned, "
        f"{balance.samples} samples, {balance.scrap} scrap"
    )
    if balance.missing > 0:
        return f"{where}: {balance.missing} chips are missing ({parts}): find them, or report them lost"
    return f"{where}: {-balance.missing} chips too many ({parts}): count again"


def _balances(connection: Connection, this: Job, keys: Iterable[int] | None) -> list[Balance]:
    fates = (
        select(chip.c.shift, chip.c.fate, func.count())
        .where(chip.c.job == this.key)
        .group_by(chip.c.shift, chip.c.fate)
    )
    shifts = select(shift).where(shift.c.job == this.key).order_by(shift.c.id)
    if keys is not None:
        fates, shifts = fates.where(chip.c.shift.in_(list(keys))), shifts.where(shift.c.id.in_(list(keys)))
    count = {(key, fate): number for key, fate, number in connection.execute(fates)}
    return [
        Balance(
            shift=row.id,
            machine=row.machine,
            name=row.name,
            opening=row.opening,
            good=count.get((row.id, Fate.GOOD), 0),
            rejected=count.get((row.id, Fate.REJECTED), 0),
            returned=row.returned,
            samples=count.get((row.id, Fate.SAMPLE), 0),
            scrap=count.get((row.id, Fate.SCRAP), 0) + row.lost,
            at_work=count.get((row.id, Fate.AT_WORK), 0),
            lost=row.lost,
        )
        for row in connection.execute(shifts)
    ]


def total_of(shifts: Iterable[Balance], name: str) -> Balance:
    """The sum of these shifts, under this name; `returned` is None while one of them is open."""
    found = list(shifts)
    returned = [balance.returned for balance in found if balance.returned is not None]
    return Balance(
        shift=0,
        machine=name,
        name=f"{len(found)} shifts",
        opening=sum(balance.opening for balance in found),
        good=sum(balance.good for balance in found),
        rejected=sum(balance.rejected for balance in found),
        returned=sum(returned) if len(returned) == len(found) else None,
        samples=sum(balance.samples for balance in found),
        scrap=sum(balance.scrap for balance in found),
        at_work=sum(balance.at_work for balance in found),
        lost=sum(balance.lost for balance in found),
    )
