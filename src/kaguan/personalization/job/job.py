"""A personalization job: which rows there are, how they stand, and what the job is about.

Law 1. The rows of an order come in whole, or no station gets any: they are prepared first, then the job opens.
Law 2. An order makes one job, and one only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip, job, now_seconds, pin
from kaguan.personalization.preparation.chunks import PreparedRow

_AT_ONCE = 1_000


class OtherOrder(RuleBroken):
    """The job is of another order, or was begun otherwise."""


class NoSuchJob(RuleBroken):
    """The database has no such job."""


@dataclass(frozen=True, slots=True)
class JobTerms:
    """What the job is about; it never changes. `columns` are those of the order's holders; `pins` says where the cards'
    first PINs come from: the profile, or drawn for each row."""

    name: str
    order_digest: str
    order_name: str
    columns: tuple[str, ...]
    profile: str
    region: str
    store: str
    backend: str
    sampling: str
    first_chip: int
    pins: str = "profile"


class Counts(NamedTuple):
    """How the rows stand. `chips` counts every chip that reached a machine."""

    pending: int
    claimed: int
    good: int
    rejected: int
    refused: int
    chips: int
    apdus: int

    @property
    def total(self) -> int:
        """All rows."""
        return self.pending + self.claimed + self.good + self.rejected + self.refused

    @property
    def open(self) -> int:
        """Rows that still have to become something."""
        return self.pending + self.claimed


class Settled(NamedTuple):
    """A row that has become something: its sealed record, and its card, or the stage and reason for having none."""

    number: int
    line: int
    row: int
    task_id: str
    sealed: bytes
    serial: str
    ident_code: bytes
    stage: str
    reason: str


class Job:
    """One job in a bureau's database; `terms` say what it is about."""

    def __init__(self, bureau: Bureau, key: int) -> None:
        self.bureau = bureau
        self.key = key
        values = self._row(*(job.c[name] for name in JobTerms.__dataclass_fields__))._asdict()
        self.terms = JobTerms(**{**values, "columns": tuple(values["columns"].split("|"))})

    @property
    def state(self) -> JobState:
        """Where the job stands."""
        return JobState(self._row(job.c.state).state)

    @property
    def data_key(self) -> bytes:
        """The job's data key, as the vault sealed it.

        Raises:
            RuleBroken: the job's personal data is purged.
        """
        sealed = self._row(job.c.data_key).data_key
        if sealed is None:
            raise RuleBroken(f"the personal data of job {self.terms.name} is purged: nothing more can be made of it")
        return bytes(sealed)

    @property
    def pin_key(self) -> bytes:
        """The key of the job's drawn PINs, as the vault sealed it.

        Raises:
            RuleBroken: the job has none, or is purged.
        """
        sealed = self._row(job.c.pin_key).pin_key
        if sealed is None:
            raise RuleBroken(f"job {self.terms.name} has no drawn PINs, or is purged")
        return bytes(sealed)

    def _row(self, *columns: Column[Any]) -> Row[Any]:
        query = select(*columns).where(job.c.id == self.key)
        return self.bureau.durably(lambda connection: connection.execute(query).one(), statement=True)

    def has_open(self) -> bool:
        """Whether a row still has to become something."""
        query = select(card.c.number).where(card.c.job == self.key, card.c.state.in_([State.PENDING, State.CLAIMED]))
        return self.bureau.durably(lambda on: on.execute(query.limit(1)).first() is not None, statement=True)

    def move(self, state: JobState, *, among: Iterable[JobState]) -> bool:
        """The job is in this state; False when it was in none of `among`, and then nothing changed."""
        change = update(job).where(job.c.id == self.key, job.c.state.in_(list(among)))
        with self.bureau.transaction() as connection:
            return connection.execute(change.values(state=state)).rowcount == 1

    def append(self, rows: Iterable[PreparedRow]) -> None:
        """These rows are in, all of them; those that were in already stay as they are.

        Raises:
            OtherOrder: two rows are for one card number.
        """
        values = [
            {
                "job": self.key,
                "number": row.number,
                "line": row.line,
                "row": row.row,
                "task_id": row.task_id,
                "tag": row.tag or None,
                "sealed": row.sealed,
                "state": State.REFUSED if row.reason else State.PENDING,
                "stage": "order" if row.reason else None,
                "reason": row.reason or None,
            }
            for row in rows
        ]

        def store(connection: Connection) -> None:
            there = select(func.count()).where(card.c.job == self.key, card.c.number == values[-1]["number"])
            if not connection.execute(there).scalar_one():
                connection.execute(insert(card), values)

        if not values:
            return
        try:
            self.bureau.durably(store)
        except IntegrityError:
            raise OtherOrder(f"job {self.terms.name}: a card number stands in two rows of the order") from None

    def forget(self) -> None:
        """A job whose rows are still coming in has never been."""
        with self.bureau.transaction() as connection:
            waits = job.c.id == self.key, job.c.state == JobState.PREPARING
            if connection.execute(select(job.c.id).where(*waits)).first():
                for table in (card, pin):
                    connection.execute(delete(table).where(table.c.job == self.key))
                connection.execute(delete(job).where(*waits))

    def rows_in(self) -> int:
        """How many rows have come in, from the first on."""
        query = select(func.coalesce(func.max(card.c.number), 0)).where(card.c.job == self.key)
        return self.bureau.durably(lambda on: int(on.execute(query).scalar_one()), statement=True)

    def counts(self) -> Counts:
        """How the rows stand now."""
        states = (
            select(card.c.state, func.count(), func.sum(card.c.apdus))
            .where(card.c.job == self.key)
            .group_by(card.c.state)
        )
        used = select(func.count()).select_from(chip).where(chip.c.job == self.key)
        found, chips = self.bureau.durably(lambda on: (on.execute(states).all(), on.execute(used).scalar_one()))
        rows = {state: (count, int(apdus)) for state, count, apdus in found}
        count = {state: rows.get(state, (0, 0))[0] for state in State}
        return Counts(
            pending=count[State.PENDING],
            claimed=count[State.CLAIMED],
            good=count[State.GOOD],
            rejected=count[State.REJECTED],
            refused=count[State.REFUSED],
            chips=chips,
            apdus=sum(apdus for _, apdus in rows.values()),
        )

    def checked_deeply(self) -> int:
        """How many of the good cards were checked to the last byte; all had the quick check."""
        query = select(func.count()).where(card.c.job == self.key, card.c.state == State.GOOD, card.c.deep.is_(True))
        return self.bureau.durably(lambda on: int(on.execute(query).scalar_one()), statement=True)

    def rejects_by_reason(self) -> dict[str, int]:
        """How many chips were rejected, by reason."""
        query = (
            select(chip.c.reason, func.count())
            .where(chip.c.job == self.key, chip.c.fate.in_([Fate.REJECTED, Fate.SCRAP]), chip.c.ident_code.is_(None))
            .group_by(chip.c.reason)
        )
        found = self.bureau.durably(lambda on: on.execute(query).all(), statement=True)
        return {reason or "": count for reason, count in found}

    def settled(self, *states: State, number: int | None = None) -> Iterator[Settled]:
        """Every row in one of these states, in the order's sequence, read a thousand at a time; or the row of this
        number if it is in one of them."""
        columns = [getattr(card.c, name) for name in Settled._fields]
        only = [] if number is None else [card.c.number == number]
        last = 0
        while True:
            query = (
                select(*columns)
                .where(card.c.job == self.key, card.c.number > last, card.c.state.in_(states), *only)
                .order_by(card.c.number)
                .limit(_AT_ONCE)
            )
            rows = self.bureau.durably(partial(_settled, query), statement=True)
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1].number


def _settled(query: Select[Any], connection: Connection) -> list[Settled]:
    return [Settled(*row) for row in connection.execute(query)]


def begin_job(bureau: Bureau, terms: JobTerms, data_key: bytes, pin_key: bytes | None = None) -> Job:
    """The job of these terms: a new one that waits for its rows, or the one that was begun with the same terms.

    Raises:
        OtherOrder: a job of that name or that order was begun with other terms.
    """
    values = {**asdict(terms), "columns": "|".join(terms.columns)}

    def create(connection: Connection) -> int:
        same = (job.c.name == terms.name) | (job.c.order_digest == terms.order_digest)
        found = connection.execute(select(job.c.id).where(same)).scalars().all()
        if found:
            return int(found[0])
        new = insert(job).values(**values, data_key=data_key, pin_key=pin_key, state=JobState.PREPARING)
        new = new.values(opened_at=now_seconds())
        return int(connection.execute(new.returning(job.c.id)).scalar_one())

    try:
        begun = Job(bureau, bureau.durably(create))
    except IntegrityError:  # somebody was faster
        begun = Job(bureau, bureau.durably(create))
    require_same(begun.terms, terms)
    return begun


def job_of_order(bureau: Bureau, digest: str, name: str = "") -> Job | None:
    """The job of the order's file with this digest, or of this name; None when there is none yet."""
    query = select(job.c.id).where((job.c.order_digest == digest) | (job.c.name == name)).order_by(job.c.id)
    with bureau.transaction() as connection:
        found = connection.execute(query).first()
    return Job(bureau, found[0]) if found else None


def only_job(bureau: Bureau) -> Job | None:
    """The job of a database that is one job's own; None when there is none yet."""
    with bureau.transaction() as connection:
        found = connection.execute(select(job.c.id).order_by(job.c.id)).first()
    return Job(bureau, found[0]) if found else None


def require_same(begun: JobTerms, wanted: JobTerms) -> None:
    """Nothing happens when the job goes on as it began.

    Raises:
        OtherOrder: it does not.
    """
    if begun.order_digest != wanted.order_digest:
        raise OtherOrder(f"job {begun.name} is of another order ({begun.order_name}): choose another name or folder")
    if begun.name != wanted.name:
        raise OtherOrder(
            f"this order has a job already, {begun.name}: go on with that one, or have cards of it made again there"
        )
    for name in ("profile", "region", "store", "backend", "sampling", "pins"):
        if getattr(begun, name) != getattr(wanted, name):
            raise OtherOrder(
                f"job {begun.name} was begun with {name} {getattr(begun, name)}, not {getattr(wanted, name)}"
            )


def find_job(bureau: Bureau, name: str = "") -> Job:
    """The job of this name; the only one when no name is given.

    Raises:
        NoSuchJob: there is none, or several and none is named.
    """
    query = select(job.c.id, job.c.name).order_by(job.c.id)
    if name:
        query = query.where(job.c.name == name)
    with bureau.transaction() as connection:
        found = connection.execute(query.limit(21)).all()
    if len(found) == 1:
        return Job(bureau, found[0][0])
    if found:
        names = ", ".join(row[1] for row in found[:20])
        raise NoSuchJob(f"{bureau.shown} has several jobs: name one of {names}")
    raise NoSuchJob(f"{bureau.shown} has no job{f' {name}' if name else ''}: start one with 'kaguan perso run'")
