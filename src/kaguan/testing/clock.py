"""Time that a test holds in its hand."""

from __future__ import annotations


class Clock:
    """Moves when a test says so, when a fault delays an answer, and one microsecond whenever it is read."""

    def __init__(self) -> None:
        self._microseconds = 0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._microseconds / 1_000_000

    def advance(self, seconds: float) -> None:
        """So much later."""
        self._microseconds += round(seconds * 1_000_000)

    def __call__(self) -> int:
        """Microseconds since the beginning."""
        self._microseconds += 1
        return self._microseconds
