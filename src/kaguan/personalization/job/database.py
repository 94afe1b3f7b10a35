"""A bureau's database: SQLite in a file, or PostgreSQL by its URL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import local
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Dialect, create_engine, event, select
from sqlalchemy import inspect as inspector_of
from sqlalchemy.exc import DBAPIError, OperationalError

from kaguan.address import database_url
from kaguan.database import DatabaseGone, told_plainly
from kaguan.durable import InUse
from kaguan.personalization.job.schema import metadata, now_seconds

Result = TypeVar("Result")
_PATIENCE_SECONDS = 60.0
_PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_SCHEMA_LOCK = 0x4B47  # an advisory lock of PostgreSQL: tables are made by one process


class _Now(local):
    """What a thread is at."""

    within = False


class Bureau:
    """An opened database. Use it as a context; one per process and thread."""

    def __init__(self, address: str) -> None:
        self.url = database_url(address)
        self.embedded = self.url.get_backend_name() == "sqlite"
        if self.embedded:
            # SQLite gives its journals the same rights
            os.close(os.open(str(self.url.database), os.O_CREAT | os.O_RDWR, 0o600))
            self._engine = create_engine(self.url, connect_args={"timeout": _PATIENCE_SECONDS})
            event.listen(self._engine, "connect", _as_we_want_sqlite)
            event.listen(self._engine, "begin", _begin_immediate)
        else:
            self._engine = create_engine(self.url, pool_size=1, max_overflow=1, pool_pre_ping=False)
            # Single statements have a connection of their own, always ready for one: stations say two for each card,
            # and to change a connection over to that and back takes as long as saying them.
            single = {"isolation_level": "AUTOCOMMIT", "pool_size": 1, "max_overflow": 1, "pool_reset_on_return": None}
            self._single = create_engine(self.url, **single)
        self._now = _Now()
        try:
            self._make_tables()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """All connections are closed."""
        self._engine.dispose()
        if not self.embedded:
            self._single.dispose()

    @property
    def dialect(self) -> Dialect:
        """How this database wants its statements."""
        return self._engine.dialect

    @cached_property
    def shown(self) -> str:
        """The address as people may see it."""
        return str(self.url.database) if self.embedded else self.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All of it is stored, or nothing.

        Raises:
            DiskFailed, InUse, InputError: as `told_plainly` says for SQLite.
            DatabaseGone: the server does not answer.
        """
        with self._one_at_a_time(), self._plainly(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """As `transaction`, for one statement alone: a server is asked once, and not for a transaction around it."""
        if self.embedded:
            with self.transaction() as connection:
                yield connection
            return
        with self._one_at_a_time(), self._plainly(), self._single.connect() as connection:
            yield connection

    def durably(self, work: Callable[[Connection], Result], *, statement: bool = False) -> Result:
        """What `work` gives, done in a transaction; begun again when the server was gone in between.

        `work` may be done twice, when the server went between doing it and saying so: it must bear that. `statement`
        says that it is one statement alone where there is a server.

        Raises:
            DatabaseGone: the server was gone for a minute.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for attempt in range(1_000_000):
            try:
                with self.statement() if statement else self.transaction() as connection:
                    return work(connection)
            except DatabaseGone:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)])
        raise AssertionError  # pragma: no cover - the deadline comes first

    @contextmanager
    def alone(self, what: str, key: int) -> Iterator[None]:
        """While the context lasts no other process is in one for this key; PostgreSQL alone, files have locks.

        It ends with the process, however that ends.
        Raises:
            InUse: another one is.
        """
        if self.embedded:
            yield
            return
        with self._plainly():
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with self._plainly():
                got = connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (key,)).scalar_one()
            if not got:
                raise InUse(f"{what} is in use by another process: let it finish, or stop it, and try again")
            yield
        finally:
            connection.invalidate()  # the session ends, and its lock with it
            connection.close()

    def clock(self) -> float:
        """The time by the database's clock."""
        with self.transaction() as connection:
            return float(connection.execute(select(now_seconds())).scalar_one())

    def _make_tables(self) -> None:
        with self.transaction() as connection:
            if inspector_of(connection).has_table("job"):
                return
        with self.transaction() as connection:
            if not self.embedded:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            metadata.create_all(connection)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """A transaction within another would wait for it for ever: SQLite knows one writer, a server locks rows."""
        assert not self._now.within, "a transaction was begun within another"  # noqa: S101 - our own mistake, never a user's
        self._now.within = True
        try:
            yield
        finally:
            self._now.within = False

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        with told_plainly(self.shown):
            try:
                yield
            except DBAPIError as error:
                if self.embedded or not (error.connection_invalidated or isinstance(error, OperationalError)):
                    raise
                raise DatabaseGone(
                    f"{self.shown}: {_first_line(error)}; mend it and run the same command again"
                ) from None


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().split("\n", maxsplit=1)[0]


def _as_we_want_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver thinks
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
