"""What goes wrong with an SQLite file, told so that people can act on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.errors import InputError, KaguanError
from kaguan.durable import DiskFailed, InUse


def _not_ours(what: str, reason: str) -> KaguanError:
    return InputError(f"{what} is no database of Kaguan, or it is damaged ({reason}): name the right file")


def _in_use(what: str, reason: str) -> KaguanError:
    return InUse(f"{what} is in use by another process ({reason}): let it finish, or stop it, and try again")


def _disk_failed(what: str, reason: str) -> KaguanError:
    return DiskFailed(f"{what}: {reason}; mend it and run the same command again")


_TOLD: Mapping[int, Callable[[str, str], KaguanError]] = {
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


@contextmanager
def told_plainly(database: str | Path) -> Iterator[None]:
    """What SQLite cannot do within the context is an error of the five families; everything else stays as it is.

    Errors that another library raised from SQLite's are understood too.

    Raises:
        InputError: the file is another program's, or damaged.
        InUse: another process holds it.
        DiskFailed: it cannot be read or written.
    """
    try:
        yield
    except Exception as error:
        cause = error if isinstance(error, sqlite3.Error) else error.__cause__
        told = _told(cause, str(database)) if isinstance(cause, sqlite3.Error) else None
        if told is None:
            raise
        raise told from None


def _told(error: sqlite3.Error, database: str) -> KaguanError | None:
    reason = str(error)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY_CODE
    tell = _not_ours if reason.startswith(_OTHER_TABLES) else _TOLD.get(code)
    return tell(database, reason) if tell else None
