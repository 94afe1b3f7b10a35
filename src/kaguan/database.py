"""What goes wrong with a database, an SQLite file or a PostgreSQL server, told so that people can act on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.errors import InputError, KaguanError
from kaguan.durable import DiskFailed, InUse

_Tell = Callable[[str, str], KaguanError]


class DatabaseGone(KaguanError):
    """The database server does not answer. What was stored stays; what was under way may be done or not."""

    exit_code = 5


def _not_ours(what: str, reason: str) -> KaguanError:
    return InputError(f"{what} is no database of Kaguan, or it is damaged ({reason}): name the right one")


def _in_use(what: str, reason: str) -> KaguanError:
    return InUse(f"{what} is in use by another process ({reason}): let it finish, or stop it, and try again")


def _disk_failed(what: str, reason: str) -> KaguanError:
    return DiskFailed(f"{what}: {reason}; mend it and run the same command again")


def _gone(what: str, reason: str) -> KaguanError:
    return DatabaseGone(f"{what}: {reason}; mend it and run the same command again, under the same request id")


_TOLD: Mapping[int, _Tell] = {
    sqlite3.SQLITE_NOTADB: _not_ours,
    sqlite3.SQLITE_CORRUPT: _not_ours,
    sqlite3.SQLITE_BUSY: _in_use,
    sqlite3.SQLITE_LOCKED: _in_use,
    sqlite3.SQLITE_FULL: _disk_failed,
    sqlite3.SQLITE_IOERR: _disk_failed,
    sqlite3.SQLITE_READONLY: _disk_failed,
    sqlite3.SQLITE_CANTOPEN: _disk_failed,
}
_PRIMARY_CODE = 0xFF
_OTHER_TABLES = ("no such table", "no such column")

# SQLSTATE by its whole code, else by its class (PostgreSQL's appendix A)
_TOLD_BY_STATE: Mapping[str, _Tell] = {
    "3D000": _not_ours,
    "42P01": _not_ours,
    "42703": _not_ours,
    "40001": _in_use,
    "40P01": _in_use,
    "55P03": _in_use,
    "53100": _disk_failed,
    "25006": _disk_failed,
    "08": _gone,
    "28": _gone,
    "53": _gone,
    "57": _gone,
    "58": _disk_failed,
}


@contextmanager
def told_plainly(database: str | Path) -> Iterator[None]:
    """What the database cannot do within the context is an error of the five families; all else stays as it is.

    Errors that another library raised from the driver's are understood too.

    Raises:
        InputError: it is another program's, or damaged.
        InUse: another process holds it.
        DiskFailed: it cannot be read or written.
        DatabaseGone: the server does not answer, or does not let us in.
    """
    try:
        yield
    except Exception as error:
        cause = error if isinstance(error, sqlite3.Error) or _is_psycopg(error) else error.__cause__
        told = _told(cause, str(database)) if isinstance(cause, Exception) else None
        if told is None:
            raise
        raise told from None


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE that PostgreSQL gave the error, or the one that it was raised from; empty when it gave none."""
    cause = error if _is_psycopg(error) else error.__cause__
    return str(getattr(cause, "sqlstate", None) or "") if cause is not None and _is_psycopg(cause) else ""


def _is_psycopg(error: BaseException) -> bool:
    # the driver is an extra, and few commands need it: it is known by its name
    return type(error).__module__.partition(".")[0] == "psycopg"


def _told(error: Exception, database: str) -> KaguanError | None:
    reason = str(error).strip().split("\n", maxsplit=1)[0]
    tell: _Tell | None
    if _is_psycopg(error):
        state = sqlstate_of(error)
        no_answer = not state and type(error).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
        tell = _gone if no_answer else _TOLD_BY_STATE.get(state) or _TOLD_BY_STATE.get(state[:2])
    elif isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY_CODE
        tell = _not_ours if reason.startswith(_OTHER_TABLES) else _TOLD.get(code)
    else:
        tell = None
    return tell(database, reason) if tell else None
