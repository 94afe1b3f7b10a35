"""Links under observation.

Law. What passes is not changed, and no secret reaches a sink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.apdu.redaction import Redaction
from kaguan.apdu.tape.model import Pattern
from kaguan.apdu.trace.event import NOTHING, EventKind, Sink, TraceEvent

Clock = Callable[[], int]
"""Microseconds since any moment."""


@runtime_checkable
class TellsFaults(Protocol):
    """A link that puts faults in, and tells them."""

    def tell_faults_to(self, tell: Callable[[str], object]) -> None:
        """Every fault that strikes from now on is told there."""
        ...


def traced(links: Sequence[Link], sink: Sink, clock_us: Clock) -> tuple[Observed, ...]:
    """Links that do what these do and tell the sink every event; cards are numbered in this order, from 0."""
    begin = clock_us()
    return tuple(Observed(link, sink, lambda: clock_us() - begin, card) for card, link in enumerate(links))


class Observed(Layer):
    """One link whose every event is told."""

    def __init__(self, link: Link, sink: Sink, clock_us: Clock, card: int = 0) -> None:
        super().__init__(link)
        self._sink = sink
        self._clock_us = clock_us
        self._card = card
        self._redaction = Redaction()
        self._open = True
        if isinstance(link, TellsFaults):
            link.tell_faults_to(self._fault)
        self._tell(EventKind.OPENED, clock_us(), response=Pattern.exactly(link.atr))

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        at = self._clock_us()
        shown = self._redaction.command(command)
        try:
            response = self.link.transceive(command)
        except BaseException as error:
            self._tell(EventKind.LOST, at, command=shown, text=_told(error))
            raise
        self._tell(EventKind.EXCHANGE, at, command=shown, response=self._redaction.response(response))
        return response

    def reset(self) -> bytes:
        """The ATR of the link below."""
        at = self._clock_us()
        try:
            atr = self.link.reset()
        except BaseException as error:
            self._tell(EventKind.LOST, at, text=_told(error))
            raise
        self._tell(EventKind.RESET, at, response=Pattern.exactly(atr))
        return atr

    def close(self) -> None:
        """Close the link below; told once."""
        self.link.close()
        if self._open:
            self._open = False
            self._tell(EventKind.CLOSED, self._clock_us())

    def _fault(self, text: str) -> None:
        self._tell(EventKind.FAULT, self._clock_us(), text=text)

    def _tell(
        self, kind: EventKind, at: int, *, command: Pattern = NOTHING, response: Pattern = NOTHING, text: str = ""
    ) -> None:
        self._sink(TraceEvent(kind, self._card, at, self._clock_us() - at, command, response, text))


def _told(error: BaseException) -> str:
    """Our own errors hold no secrets; of others only the kind is told."""
    return f"{type(error).__name__}: {error}" if isinstance(error, KaguanError) else type(error).__name__
