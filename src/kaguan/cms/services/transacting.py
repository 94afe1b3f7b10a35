"""One transaction for one piece of work, begun again when another transaction was in its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import uniform
from typing import Final, TypeVar

from django.db import DatabaseError, DataError, InterfaceError, connection, transaction

from kaguan.cms.rules.refusals import NotEligible
from kaguan.database import DatabaseGone, sqlstate_of, told_plainly

Result = TypeVar("Result")

_TURNS: Final = 6
_LONGEST_PAUSE_SECONDS: Final = 0.05
_IN_THE_WAY: Final = frozenset(
    {
        "40001",  # the transactions cannot be put in an order
        "40P01",  # each waits for the other, and this one was chosen to end
        "23505",  # both added the same row: the next turn sees it
    }
)


def in_transaction(work: Callable[[], Result]) -> Result:
    """Return what the work gives, done in one transaction that reached the disk; it may be done several times.

    Raises:
        NotEligible: a value is longer or larger than the books have room for.
        InUse: another process held the database, or a row of it, for too long.
        DiskFailed: it cannot be written.
        DatabaseGone: the server went away: the work was done or not; the connection is made anew next time.
    """
    try:
        with told_plainly(str(connection.settings_dict["NAME"])):
            return _in_turns(work)
    except (DataError, OverflowError):  # the driver of SQLite has the latter for large numbers
        raise NotEligible("a value is longer or larger than the books have room for: shorten it") from None
    except DatabaseGone:
        if not connection.in_atomic_block:
            connection.close()
        raise


def _in_turns(work: Callable[[], Result]) -> Result:
    for turn in range(1, _TURNS + 1):
        try:
            with transaction.atomic(durable=True):
                return work()
        except (DatabaseError, InterfaceError) as error:
            if sqlstate_of(error) not in _IN_THE_WAY or turn == _TURNS:
                raise
            time.sleep(uniform(0, _LONGEST_PAUSE_SECONDS))
    raise AssertionError("the last turn returns or raises")  # pragma: no cover
