"""Die, as by kill -9, at a moment of one's choice while the database is asked.

Moments are numbers: before the first statement, the second, ...; then the two about the commit, which are negative.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection

from cms.siege.processes import apart

BEFORE_COMMIT, AFTER_COMMIT = -2, -1


def dying_at(moment: int, act: Callable[[], Any]) -> Callable[[], Any]:
    """The act, in which whoever does it dies at that moment; one that never comes lets it end."""

    def ill_fated() -> Any:
        asked = 0

        def watch(execute, sql, params, many, context):
            nonlocal asked
            asked += 1
            if asked == moment:
                _die()
            return execute(sql, params, many, context)

        commit = connection._commit

        def committing():
            if moment == BEFORE_COMMIT:
                _die()
            commit()
            if moment == AFTER_COMMIT:
                _die()

        connection.execute_wrappers.append(watch)
        connection._commit = committing
        return act()

    return ill_fated


def statements_of(act: Callable[[], Any]) -> int:
    """How many statements the act takes until it would be committed; nothing of it is."""

    def counted() -> int:
        asked = 0

        def count(execute, sql, params, many, context):
            nonlocal asked
            asked += 1
            return execute(sql, params, many, context)

        def refuse_to_commit():
            raise _Counted

        connection.execute_wrappers.append(count)
        connection._commit = refuse_to_commit
        try:
            act()
        except _Counted:
            return asked
        raise AssertionError("the act committed nothing")

    return apart(counted).answer


class _Counted(DatabaseError):
    """All statements before the commit are counted; after an error of the database's Django rolls back."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
