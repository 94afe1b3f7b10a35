"""How a job goes: what a screen, a machine or a monitoring system is shown. No personal data is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from kaguan.personalization.job.job import Counts, Job
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip, now_seconds
from kaguan.personalization.job.shifts import Balance, balances

RECENT_SECONDS = 60.0
CARD_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram of seconds per card."""


class StationView(NamedTuple):
    """A station that holds rows. `row` is the one that it has a chip in work for, `alive` whether its time runs."""

    name: str
    held: int
    row: int | None
    alive: bool


class Figures(NamedTuple):
    """One look at a job. `rate` is in cards a second, over the last minute or since the look before."""

    job: str
    state: JobState
    at: float
    counts: Counts
    rate: float
    stations: tuple[StationView, ...]
    rejects: Mapping[str, int]
    balances: tuple[Balance, ...]

    @property
    def eta_seconds(self) -> float | None:
        """When the last row is settled at this rate; None when nobody can say."""
        if not self.counts.open:
            return 0.0
        return self.counts.open / self.rate if self.rate else None

    def as_json(self) -> dict[str, object]:
        """The same for machines; the counts stand at the top."""
        eta = self.eta_seconds
        return {
            "job": self.job,
            "state": self.state,
            "at": round(self.at, 3),
            **self.counts._asdict(),
            "total": self.counts.total,
            "rate": round(self.rate, 2),
            "eta_seconds": None if eta is None else round(eta, 1),
            "stations": [station._asdict() for station in self.stations],
            "rejects": dict(self.rejects),
            "balance": [balance_json(balance) for balance in self.balances],
        }


class Histogram(NamedTuple):
    """How long good cards took, from the chip's first byte to the check's last: how many up to each bound, how many in
    all, and all their seconds together."""

    up_to: tuple[int, ...]
    cards: int
    seconds: float


def balance_json(balance: Balance) -> dict[str, object]:
    """A shift's count of chips, and what is missing."""
    return {**balance._asdict(), "missing": balance.missing, "closed": balance.closed}


def figures(this: Job, before: Figures | None = None, *, counts: Counts | None = None) -> Figures:
    """How the job goes now. `before` is an earlier look, for the rate; `counts` spares counting again."""
    now = counts or this.counts()
    with this.bureau.transaction() as connection:
        at = float(connection.execute(select(now_seconds())).scalar_one())
        stations = _stations(connection, this)
        if before is None:
            made = [card.c.job == this.key, card.c.state == State.GOOD, card.c.finished_at > at - RECENT_SECONDS]
            count, first = connection.execute(select(func.count(), func.min(card.c.finished_at)).where(*made)).one()
            rate = count / max(at - first, 1.0) if count else 0.0
        else:
            rate = max(now.good - before.counts.good, 0) / max(at - before.at, 0.001)
    rejects = dict(sorted(this.rejects_by_reason().items(), key=lambda item: (-item[1], item[0])))
    return Figures(this.terms.name, this.state, at, now, rate, stations, rejects, tuple(balances(this)))


def fates(this: Job) -> dict[Fate, int]:
    """How many chips ended where."""
    query = select(chip.c.fate, func.count()).where(chip.c.job == this.key).group_by(chip.c.fate)
    with this.bureau.transaction() as connection:
        found = {Fate(fate): int(count) for fate, count in connection.execute(query)}
    return {fate: found.get(fate, 0) for fate in Fate}


def card_seconds(this: Job) -> Histogram:
    """How long the good cards took."""
    took = chip.c.settled_at - chip.c.taken_at
    up_to = [func.coalesce(func.sum(case((took <= bound, 1), else_=0)), 0) for bound in CARD_SECONDS]
    query = select(*up_to, func.count(), func.coalesce(func.sum(took), 0.0))
    with this.bureau.transaction() as connection:
        row = connection.execute(query.where(chip.c.job == this.key, chip.c.fate == Fate.GOOD)).one()
    return Histogram(tuple(int(count) for count in row[:-2]), int(row[-2]), float(row[-1]))


def _stations(connection: Connection, this: Job) -> tuple[StationView, ...]:
    held = [card.c.job == this.key, card.c.state == State.CLAIMED]
    alive = func.max(card.c.lease_until) > now_seconds()
    claims = select(card.c.station, func.count(), alive).where(*held).group_by(card.c.station).order_by(card.c.station)
    in_work = select(chip.c.station, func.max(chip.c.number)).join(
        card, (card.c.job == chip.c.job) & (card.c.number == chip.c.number) & (card.c.attempt == chip.c.attempt)
    )
    rows = connection.execute(in_work.where(*held, chip.c.fate == Fate.AT_WORK).group_by(chip.c.station))
    row_of = {station: int(row) for station, row in rows}
    return tuple(
        StationView(name, count, row_of.get(name), bool(is_alive))
        for name, count, is_alive in connection.execute(claims)
    )
