"""The events of a trace."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from kaguan.apdu.tape.model import Pattern

NOTHING = Pattern(b"", b"")


class EventKind(StrEnum):
    """What happened."""

    OPENED = "opened"  # the link was there; `response` is the ATR
    RESET = "reset"  # the same, after a reset
    EXCHANGE = "exchange"  # a command and its response
    LOST = "lost"  # a command, or a reset, that got no answer
    FAULT = "fault"  # a fault was put in on purpose
    CLOSED = "closed"  # the link was closed


class TraceEvent(NamedTuple):
    """One event. Times are microseconds, `at_us` since the trace began; bytes that are hidden are wildcards."""

    kind: EventKind
    card: int = 0
    at_us: int = 0
    took_us: int = 0
    command: Pattern = NOTHING
    response: Pattern = NOTHING
    text: str = ""

    def __repr__(self) -> str:
        """The kind and the card alone: a response may be personal."""
        return f"<{self.kind.value} card {self.card}>"


Sink: TypeAlias = Callable[[TraceEvent], object]
