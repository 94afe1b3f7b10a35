"""Cards and readers that come and go.

Law. What is told adds up: a card that was inserted is removed before the next one is inserted, also when both happened
between two looks, and a reader's card is removed before the reader is unplugged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from kaguan.terminal.pcsc import LISTENING_MILLISECONDS, Context

_ANY_READER = "\\\\?PnP?\\Notification"
"""The name under which PC/SC tells that readers came or went."""

_COUNTER_SHIFT = 16
"""The upper half of a reader's state counts insertions and removals."""


class Happening(StrEnum):
    """What happened at a reader."""

    CONNECTED = "connected"
    INSERTED = "inserted"
    REMOVED = "removed"
    UNPLUGGED = "unplugged"


class ReaderEvent(NamedTuple):
    """One of them; `atr` is that of the card inserted, empty for a mute one and for other events."""

    happening: Happening
    reader: str
    atr: bytes = b""


class Holding(NamedTuple):
    """A reader as it is: its number, whether it answers, whether a card is in, its ATR, whether a program uses it."""

    number: int
    reader: str
    answers: bool
    has_card: bool
    atr: bytes
    in_use: bool


class _Seen(NamedTuple):
    """A reader when it was last looked at."""

    state: int
    has_card: bool
    answers: bool = True


def holdings() -> list[Holding]:
    """Every reader with its card, now.

    Raises:
        NoReader: pyscard or the PC/SC service is missing.
    """
    with Context() as context:
        scard = context.scard
        names = context.reader_names()
        found = context.changes([(name, scard.SCARD_STATE_UNAWARE) for name in names], 0) if names else None
        return [
            Holding(
                number,
                name,
                not _is_gone(scard, state),
                bool(state & scard.SCARD_STATE_PRESENT),
                atr,
                bool(state & (scard.SCARD_STATE_INUSE | scard.SCARD_STATE_EXCLUSIVE)),
            )
            for number, (name, state, atr) in enumerate(found or ())
        ]


def reader_events(*, timeout_seconds: float | None = None) -> Iterator[ReaderEvent]:
    """Everything that happens at any reader, first what is there already; None never ends. Ctrl-C is heard.

    Raises:
        NoReader: pyscard or the PC/SC service is missing, or it ended.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with Context() as context:
        watch = _Watch(context)
        while True:
            yield from watch.look()
            left = LISTENING_MILLISECONDS
            if deadline is not None:
                left = min(left, int((deadline - time.monotonic()) * 1000))
                if left <= 0:
                    return
            watch.wait(left)


class _Watch:
    """What is known of all readers."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._scard = context.scard
        self._seen: dict[str, _Seen] = {}
        self._readers_state = 0

    def look(self) -> Iterator[ReaderEvent]:
        """What is different from the last look."""
        names = self._context.reader_names()
        for gone in [name for name in self._seen if name not in names]:
            yield from self._left(gone)
            del self._seen[gone]
        for name in names:
            if name not in self._seen:
                self._seen[name] = _Seen(self._scard.SCARD_STATE_UNAWARE, has_card=False)
                yield ReaderEvent(Happening.CONNECTED, name)
        if names:
            asked = [(name, seen.state) for name, seen in self._seen.items()]
            for name, state, atr in self._context.changes(asked, 0) or ():
                yield from self._changed(name, state, atr)

    def wait(self, milliseconds: int) -> None:
        """So long, or until something is different."""
        asked = [(name, seen.state) for name, seen in self._seen.items()]
        found = self._context.changes([*asked, (_ANY_READER, self._readers_state)], milliseconds)
        for name, state, _ in found or ():
            if name == _ANY_READER:
                self._readers_state = state & ~self._scard.SCARD_STATE_CHANGED

    def _changed(self, name: str, state: int, atr: bytes) -> Iterator[ReaderEvent]:
        scard = self._scard
        before, has_card = self._seen[name], bool(state & scard.SCARD_STATE_PRESENT)
        state &= ~scard.SCARD_STATE_CHANGED
        if _is_gone(scard, state):
            yield from self._left(name)
            self._seen[name] = _Seen(state, has_card=False, answers=False)
            return
        self._seen[name] = _Seen(state, has_card)
        if not before.answers:
            yield ReaderEvent(Happening.CONNECTED, name)
        another = has_card and before.has_card and state >> _COUNTER_SHIFT != before.state >> _COUNTER_SHIFT
        if before.has_card and (another or not has_card):
            yield ReaderEvent(Happening.REMOVED, name)
        if has_card and (another or not before.has_card):
            yield ReaderEvent(Happening.INSERTED, name, atr)

    def _left(self, name: str) -> Iterator[ReaderEvent]:
        before = self._seen[name]
        if before.has_card:
            yield ReaderEvent(Happening.REMOVED, name)
        if before.answers:
            yield ReaderEvent(Happening.UNPLUGGED, name)


def _is_gone(scard: Any, state: int) -> bool:
    """The reader is not there, or the service keeps it in its list though it does not answer."""
    return bool(state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE))
