"""Send a statement over the connection of this thread, by the shortest way that there is.

Django makes a cursor for each statement, and for SQLite writes it anew with other marks: together that takes as long as
the database needs to answer. Here a thread keeps its cursor and each statement's wording. Whoever watches statements
(`execute_wrappers`, a log of queries) sees these like all others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from sqlite3 import Cursor
from threading import local
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

_MARK: Final = re.compile("%(s|%)")


class _Kept(local):
    """The driver's cursor of this thread, and the connection that it belongs to."""

    connection: Any = None
    cursor: Any = None


_KEPT: Final = _Kept()


def send(database: BaseDatabaseWrapper, sql: str, values: list[Any]) -> Any:
    """Return the cursor with the statement's answer, to be read before the next one is sent. Values stand for `%s`.

    Raises as Django's own cursors do.
    """
    if database.execute_wrappers or database.force_debug_cursor:
        watched = database.cursor()
        watched.execute(sql, values)
        return watched
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        if _KEPT.connection is None or _KEPT.connection is not database.connection:
            cursor = database.cursor().cursor
            # on SQLite the plain one: Django's own would look for other marks in each statement again
            _KEPT.cursor = database.connection.cursor(Cursor) if database.vendor == "sqlite" else cursor
            _KEPT.connection = database.connection
        _KEPT.cursor.execute(_marked(sql) if database.vendor == "sqlite" else sql, values)
        return _KEPT.cursor


@lru_cache(maxsize=1_024)
def _marked(sql: str) -> str:
    """Return the statement with the marks of SQLite's driver."""
    return _MARK.sub(lambda mark: "?" if mark[1] == "s" else "%", sql)
