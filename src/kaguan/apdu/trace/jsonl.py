"""The canonical form of a trace: one event a line, as JSON whose keys always come in the same order.

Bytes are upper-case hex in which XX stands for a byte that was hidden. Times are microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kaguan.apdu.errors import PlacedInputError
from kaguan.apdu.tape.model import Pattern
from kaguan.apdu.trace.event import EventKind, TraceEvent

_NUMBERS = ("card", "at_us", "took_us")
_BYTES = ("command", "response")


class TraceError(PlacedInputError):
    """A trace that cannot be read."""


def jsonl_line(event: TraceEvent) -> str:
    """The event as one line, its end included; what it does not have is left out."""
    row: dict[str, object] = {"event": event.kind.value, **{name: getattr(event, name) for name in _NUMBERS}}
    row |= {name: str(value) for name in _BYTES if (value := getattr(event, name)).value}
    if event.text:
        row["text"] = event.text
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_jsonl(lines: Iterable[str], *, file: str = "") -> Iterator[TraceEvent]:
    """The events of these lines, one at a time; empty lines are passed over.

    Raises:
        TraceError: when the reader comes to a line that is no event, with its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _event(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise TraceError(f"this is no event of a trace: {_reason(error)}", file=file, line=number) from None


def _event(row: Any) -> TraceEvent:
    if not isinstance(row, dict):
        raise ValueError("expected an object")
    strange = row.keys() - {"event", "text", *_NUMBERS, *_BYTES}
    if strange:
        raise ValueError(f"unknown key {sorted(strange)[0]!r}")
    if _text(row, "event") not in set(EventKind):
        raise ValueError("'event' is none of " + ", ".join(EventKind))
    card, at_us, took_us = (_number(row, name) for name in _NUMBERS)
    command, response = (_pattern(row, name) for name in _BYTES)
    return TraceEvent(EventKind(row["event"]), card, at_us, took_us, command, response, _text(row, "text"))


def _number(row: dict[str, Any], name: str) -> int:
    value = row.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name!r} is no count")
    return value


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name!r} is no text")
    return value


def _pattern(row: dict[str, Any], name: str) -> Pattern:
    text = _text(row, name)
    try:
        pattern = Pattern.of(text)
    except ValueError:
        pattern = None
    if pattern is None or pattern.open_ended:
        raise ValueError(f"{name!r} is no hex")
    return pattern


def _reason(error: Exception) -> str:
    return "not JSON" if isinstance(error, (json.JSONDecodeError, RecursionError)) else str(error)
