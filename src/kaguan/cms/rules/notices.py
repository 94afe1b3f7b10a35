"""Notices to banks: what may become of one, when it is tried again, and what an answer means."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

MOST_ATTEMPTS: Final = 16
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=6)


class NoticeState(StrEnum):
    """What became of a notice; one that was given up, or refused too late, waits for a person."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    REFUSED = "refused"
    LATE = "late"
    GIVEN_UP = "given up"


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: twice as long each time, six hours at most."""
    doubled: int = 1 << max(0, min(attempts - 1, 16))
    return min(_FIRST_WAIT * doubled, _LONGEST_WAIT)


def state_after(status: int | None, attempts: int) -> NoticeState:
    """Return what a notice is after the bank answered with that HTTP status, or not at all (None).

    2xx takes it, 422 refuses it for good; whatever else there is may pass, and is tried again until it is given up.
    """
    if status is not None and 200 <= status < 300:
        return NoticeState.DELIVERED
    if status == 422:
        return NoticeState.REFUSED
    return NoticeState.WAITING if attempts < MOST_ATTEMPTS else NoticeState.GIVEN_UP
