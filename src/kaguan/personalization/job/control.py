"""Who steers a job while stations work at it: pause, go on, drain, let a row jump the queue.

A station asks the job before every row it takes, so all of this works at once, on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import case, func, select, update

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import JobState, State, card, job

_FROM = {
    JobState.PAUSED: (JobState.OPEN, JobState.DRAINING),
    JobState.OPEN: (JobState.PAUSED, JobState.DRAINING),
    JobState.DRAINING: (JobState.OPEN, JobState.PAUSED),
}
MOST_PRIORITY = 1_000


class Listed(NamedTuple):
    """A job of a bureau's database. `open` counts rows that still have to become something."""

    name: str
    state: JobState
    rows: int
    open: int
    opened_at: float
    closed_at: float | None


def steer(this: Job, state: JobState, by: str) -> bool:
    """The job is paused, open or draining, as said; False when it was so before.

    Raises:
        RuleBroken: its order is still coming in, or it is closed.
    """
    change = update(job).where(job.c.id == this.key, job.c.state.in_(_FROM[state])).values(state=state)
    with this.bureau.transaction() as connection:
        if connection.execute(change).rowcount:
            note(connection, this.key, by, f"job {state}")
            return True
        now = connection.execute(select(job.c.state).where(job.c.id == this.key)).scalar_one()
    if now != state:
        raise RuleBroken(f"job {this.terms.name} is {now}: it can be neither paused nor resumed nor drained")
    return False


def set_priority(this: Job, number: int, priority: int, by: str) -> None:
    """The row is claimed before rows of lower priority; rows have 0 otherwise, made again 100.

    Raises:
        RuleBroken: there is no such row, or it waits no more.
    """
    change = update(card).where(card.c.job == this.key, card.c.number == number, card.c.state == State.PENDING)
    with this.bureau.transaction() as connection:
        if not connection.execute(change.values(priority=priority)).rowcount:
            raise RuleBroken(f"row {number} of job {this.terms.name} does not wait for a station")
        note(connection, this.key, by, "priority set", number=number, priority=priority)


def row_state(this: Job, number: int) -> State | None:
    """Where the row stands; None when there is none."""
    with this.bureau.transaction() as connection:
        query = select(card.c.state).where(card.c.job == this.key, card.c.number == number)
        state = connection.execute(query).scalar_one_or_none()
    return None if state is None else State(state)


def row_of_tag(this: Job, tag: bytes) -> int:
    """The row whose card number has this tag.

    Raises:
        RuleBroken: none has.
    """
    query = select(card.c.number).where(card.c.job == this.key, card.c.tag == tag, card.c.state != State.REFUSED)
    with this.bureau.transaction() as connection:
        number = connection.execute(query).scalar_one_or_none()
    if number is None:
        raise RuleBroken(f"job {this.terms.name} has no row with this card number")
    return int(number)


def jobs(bureau: Bureau) -> list[Listed]:
    """Every job of the database, the oldest first."""
    waits = func.sum(case((card.c.state.in_([State.PENDING, State.CLAIMED]), 1), else_=0))
    counts = select(card.c.job, func.count().label("rows"), waits.label("open")).group_by(card.c.job).subquery()
    query = select(job, counts.c.rows, counts.c.open).outerjoin(counts, counts.c.job == job.c.id).order_by(job.c.id)
    with bureau.transaction() as connection:
        rows = connection.execute(query).all()
    return [
        Listed(row.name, JobState(row.state), row.rows or 0, int(row.open or 0), row.opened_at, row.closed_at)
        for row in rows
    ]
