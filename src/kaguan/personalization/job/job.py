"""A personalization job on disk: which rows there are, who works on which, and what became of each.

Law 1. A row is good exactly when its finished card is stored and the row says so; the card is stored first.
Law 2. A row is claimed with an attempt number, and only the holder of that number may finish it.
Law 3. Only stations of the newest run claim anything; those of a killed one find nothing to do.
Law 4. The rows of an order come in whole, or the job does not exist.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import RuleBroken
from kaguan.database import told_plainly
from kaguan.durable import DiskFailed
from kaguan.personalization.order.reading import Holder

MOST_ATTEMPTS = 3
"""Chips spent on one row before the row is rejected."""

_SCHEMA = """
CREATE TABLE job (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    order_digest TEXT NOT NULL, order_path TEXT NOT NULL, profile TEXT NOT NULL, region TEXT NOT NULL,
    store TEXT NOT NULL, backend TEXT NOT NULL, first_chip INTEGER NOT NULL, next_chip INTEGER NOT NULL,
    run INTEGER NOT NULL
);
CREATE TABLE card (
    number INTEGER PRIMARY KEY,
    card_no TEXT NOT NULL, line INTEGER NOT NULL, row INTEGER NOT NULL, task_id TEXT NOT NULL, columns TEXT NOT NULL,
    state TEXT NOT NULL, station INTEGER, attempt INTEGER NOT NULL DEFAULT 0, chip INTEGER,
    ident_code BLOB, atr BLOB UNIQUE, apdus INTEGER NOT NULL DEFAULT 0, stage TEXT, reason TEXT
);
CREATE INDEX card_by_state ON card (state, number);
CREATE UNIQUE INDEX card_made_once ON card (card_no) WHERE state <> 'refused';
"""


class State(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    CLAIMED = "claimed"
    GOOD = "good"
    REJECTED = "rejected"  # no good card came of it
    REFUSED = "refused"  # the order's row was bad and was skipped


class OtherOrder(RuleBroken):
    """The folder belongs to another order."""


@dataclass(frozen=True, slots=True)
class JobTerms:
    """What the job is about; it never changes."""

    order_digest: str
    order_path: str
    profile: str
    region: str
    store: str
    backend: str


class Claim(NamedTuple):
    """One row for one station: nobody else finishes this attempt."""

    number: int
    attempt: int
    chip: int
    holder: Holder


class Counts(NamedTuple):
    """How the rows stand. `chips` counts every chip taken from the stock."""

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


class Job:
    """An open job database. Use it as a context; one per process."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite gives its journals the same rights
        self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        self._path = path
        try:
            with told_plainly(path):
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Job:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it is stored, or nothing.

        Raises:
            DiskFailed: the database cannot be written.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise DiskFailed(f"the job's database: {error}; mend it and run the same command again") from None
            raise

    @property
    def exists(self) -> bool:
        """Whether an order has come in."""
        query = "SELECT 1 FROM sqlite_master WHERE name = 'job'"
        return self._connection.execute(query).fetchone() is not None

    def open_with(self, terms: JobTerms, rows: Iterable[tuple[Holder, str]], first_chip: int) -> None:
        """The order's rows are in: each holder with the reason why its row is refused, or with an empty one.

        `first_chip` is the number of the first chip of the stock.
        """
        with self._transaction() as connection:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.executemany(
                "INSERT INTO card (card_no, line, row, task_id, columns, state, stage, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        holder.card_no,
                        holder.line,
                        holder.row,
                        holder.task_id,
                        json.dumps(dict(holder.columns), ensure_ascii=False),
                        State.REFUSED if reason else State.PENDING,
                        "order" if reason else None,
                        reason or None,
                    )
                    for holder, reason in rows
                ),
            )
            connection.execute(
                "INSERT INTO job VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (
                    terms.order_digest,
                    terms.order_path,
                    terms.profile,
                    terms.region,
                    terms.store,
                    terms.backend,
                    first_chip,
                    first_chip,
                ),
            )

    @property
    def terms(self) -> JobTerms:
        """What the job is about."""
        query = "SELECT order_digest, order_path, profile, region, store, backend FROM job"
        return JobTerms(*self._connection.execute(query).fetchone())

    def order_moved(self, path: str) -> None:
        """The order's file is found at this path."""
        with self._transaction() as connection:
            connection.execute("UPDATE job SET order_path = ? WHERE order_path <> ?", (path, path))

    def begin_run(self) -> int:
        """A new run's number: stations of every earlier run claim nothing from now on, and their claims are free."""
        with self._transaction() as connection:
            (number,) = connection.execute("UPDATE job SET run = run + 1 RETURNING run").fetchone()
            connection.execute("UPDATE card SET state = ? WHERE state = ?", (State.PENDING, State.CLAIMED))
        return int(number)

    def release(self, run: int, station: int) -> None:
        """Rows claimed by this station of this run are pending again. For a station that is dead, or that leaves."""
        query = "UPDATE card SET state = ? WHERE state = ? AND station = ? AND EXISTS (SELECT 1 FROM job WHERE run = ?)"
        with self._transaction() as connection:
            connection.execute(query, (State.PENDING, State.CLAIMED, station, run))

    def claim(self, run: int, station: int, most: int) -> list[Claim]:
        """Up to so many pending rows, now this station's, each with a chip of its own; none for an earlier run's."""
        with self._transaction() as connection:
            if connection.execute("SELECT run FROM job").fetchone() != (run,):
                return []
            rows = connection.execute(
                "SELECT number, line, row, task_id, columns, attempt FROM card WHERE state = ? ORDER BY number LIMIT ?",
                (State.PENDING, most),
            ).fetchall()
            if not rows:
                return []
            (chip,) = connection.execute("SELECT next_chip FROM job").fetchone()
            connection.execute("UPDATE job SET next_chip = ?", (chip + len(rows),))
            claims = []
            for number, line, row, task_id, columns, attempt in rows:
                holder = Holder(line, row, task_id, json.loads(columns))
                claims.append(Claim(number, attempt + 1, chip, holder))
                chip += 1
            connection.executemany(
                "UPDATE card SET state = ?, station = ?, attempt = ?, chip = ? WHERE number = ?",
                ((State.CLAIMED, station, claim.attempt, claim.chip, claim.number) for claim in claims),
            )
        return claims

    def finish(self, claim: Claim, ident_code: bytes, atr: bytes, apdus: int) -> bool:
        """The row is good; False when the claim was taken away, and then nothing changed."""
        return self._settle(claim, "state = ?, ident_code = ?, atr = ?, apdus = ?", State.GOOD, ident_code, atr, apdus)

    def fail(self, claim: Claim, stage: str, reason: str) -> bool:
        """The row waits for another chip, or is rejected when it has had enough of them; as `finish`."""
        state = State.REJECTED if claim.attempt >= MOST_ATTEMPTS else State.PENDING
        return self._settle(claim, "state = ?, stage = ?, reason = ?", state, stage, reason)

    def _settle(self, claim: Claim, assignments: str, *values: object) -> bool:
        query = f"UPDATE card SET {assignments} WHERE number = ? AND attempt = ? AND state = ?"  # noqa: S608 - our own
        with self._transaction() as connection:
            return connection.execute(query, (*values, claim.number, claim.attempt, State.CLAIMED)).rowcount == 1

    def counts(self) -> Counts:
        """How the rows stand now.

        Raises:
            InputError: the file is no job's.
        """
        query = "SELECT state, count(*), total(apdus) FROM card GROUP BY state"
        with told_plainly(self._path):
            rows = {state: (count, int(apdus)) for state, count, apdus in self._connection.execute(query)}
            (chips,) = self._connection.execute("SELECT next_chip - first_chip FROM job").fetchone()
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

    def good(self) -> Iterator[tuple[Holder, bytes, bytes]]:
        """Holder, card identification code and ATR of every good card, in the order's sequence."""
        for *holder, ident_code, atr in self._rows("ident_code, atr", (State.GOOD,)):
            yield _holder(holder), ident_code, atr

    def bad(self) -> Iterator[tuple[Holder, str, str]]:
        """Holder, stage and reason of every row without a card, in the order's sequence."""
        for *holder, stage, reason in self._rows("stage, reason", (State.REJECTED, State.REFUSED)):
            yield _holder(holder), stage, reason

    def _rows(self, more: str, states: tuple[State, ...]) -> sqlite3.Cursor:
        marks = ", ".join("?" * len(states))
        query = (  # the names are our own
            f"SELECT line, row, task_id, columns, {more} FROM card WHERE state IN ({marks}) ORDER BY number"  # noqa: S608
        )
        return self._connection.execute(query, states)


def _holder(columns: list[object]) -> Holder:
    line, row, task_id, text = columns
    return Holder(int(str(line)), int(str(row)), str(task_id), json.loads(str(text)))
