"""Two traces side by side: what was said in one and not in the other, and what was answered differently.

Times, and what is hidden in either, do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from kaguan.apdu.tape.model import Pattern
from kaguan.apdu.trace.event import EventKind, TraceEvent

_NOT_SAID = frozenset({EventKind.OPENED, EventKind.CLOSED})


class Divergence(NamedTuple):
    """A place where the traces part: an event of either side that the other lacks, or a pair answered differently.

    Numbers count all events of the trace from 1, so that they are the lines of a JSONL file; 0 where there is none.
    """

    left: TraceEvent | None
    right: TraceEvent | None
    left_number: int
    right_number: int


def compare(left: Sequence[TraceEvent], right: Sequence[TraceEvent]) -> Iterator[Divergence]:
    """Every divergence, in the order of the traces."""
    ours, theirs = _numbered(left), _numbered(right)
    matcher = SequenceMatcher(
        None, [_asked(event) for _, event in ours], [_asked(event) for _, event in theirs], autojunk=False
    )
    for tag, first, last, other_first, other_last in matcher.get_opcodes():
        if tag == "equal":
            for (number, event), (other, its) in zip(ours[first:last], theirs[other_first:other_last], strict=True):
                if not _alike(event.response, its.response):
                    yield Divergence(event, its, number, other)
            continue
        for number, event in ours[first:last]:
            yield Divergence(event, None, number, 0)
        for number, event in theirs[other_first:other_last]:
            yield Divergence(None, event, 0, number)


def _numbered(events: Sequence[TraceEvent]) -> list[tuple[int, TraceEvent]]:
    return [(number, event) for number, event in enumerate(events, 1) if event.kind not in _NOT_SAID]


def _asked(event: TraceEvent) -> tuple[EventKind, int, str, str]:
    """What makes two events the same question."""
    return event.kind, event.card, str(event.command), event.text if event.kind is EventKind.FAULT else ""


def _alike(one: Pattern, other: Pattern) -> bool:
    """True when they differ in nothing that both show."""
    if len(one.value) != len(other.value):
        return False
    shown = int.from_bytes(one.mask, "big") & int.from_bytes(other.mask, "big")
    return not (int.from_bytes(one.value, "big") ^ int.from_bytes(other.value, "big")) & shown
