"""A trace as a tape: the text that can be edited, run on other cards, and played back as a card.

Law. What is written parses, and `run` on a `Replay` of it matches throughout, unless an answer was hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kaguan.apdu.tape import Tape, parse
from kaguan.apdu.trace.event import EventKind, TraceEvent

_STATUS_SIZE = 2
_SHORTEST = 1


class TapeWriter:
    """A sink that writes each event as one line of a tape; hidden bytes are wildcards, what is no exchange a comment.

    A tape with wildcards for a secret can be replayed, not run.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._card = 0

    def __call__(self, event: TraceEvent) -> None:
        """Write the event, after a `.card` when the last was about another."""
        if event.card != self._card:
            self._card = event.card
            self._write(f".card {event.card}\n")
        self._write(f"{_statement(event)}\n")


def as_tape(events: Iterable[TraceEvent], *, file: str = "") -> Tape:
    """The tape of these events, ready to be played back as a card. Hidden bytes of answers are zeros in it."""
    lines: list[str] = []
    writer = TapeWriter(lines.append)
    for event in events:
        writer(event._replace(response=event.response.exactly(event.response.value)))
    return parse("".join(lines), file=file)


def _statement(event: TraceEvent) -> str:
    match event.kind:
        case EventKind.OPENED | EventKind.RESET:
            return f".reset [{event.response}]"
        case EventKind.EXCHANGE:
            response = str(event.response)
            if len(event.response.value) < _STATUS_SIZE or len(event.command.value) < _SHORTEST:
                return f"# no exchange that a tape can hold: {event.command or '-'} got {response or 'nothing'}"
            return f"{event.command} [{response[:-4]}] ({response[-4:]})"
        case EventKind.LOST:
            return f"# no answer to {event.command if event.command.value else 'a reset'}: {_one_line(event.text)}"
        case EventKind.FAULT:
            return f"# fault: {_one_line(event.text)}"
        case EventKind.CLOSED:
            return "# closed"


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip("\\")
