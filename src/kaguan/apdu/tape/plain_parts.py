"""Hex, names and calls in one line of a tape, read without the grammar.

Law. What is read here the grammar reads alike; `NotPlain` leaves the line to it.
"""

from __future__ import annotations

import re
from typing import Final

from kaguan.apdu.tape.model import Call, Expression, Name, PartOf, Pattern, Place, Slice, Template

PARTS: Final = r"(?:[0-9A-Fa-fX]++[ \t]*+|\$\{[^{}]*+\}[ \t]*+)"
"""What a template consists of, as a pattern for one piece of it."""

SLICE: Final = r"\[[ \t]*+(?P<start>-?[0-9]{1,18}+)?[ \t]*+:[ \t]*+(?P<stop>-?[0-9]{1,18}+)?[ \t]*+\]"

DEEPEST: Final = 8
"""Calls inside one another; deeper ones are the grammar's."""

_PART = re.compile(r"(?P<digits>[0-9A-Fa-fX \t]++)|\$\{")
_WORD = re.compile(
    r"""[ \t]*+(?:(?P<name>[^\W\d]\w*+)|(?P<quoted>"[0-9A-Fa-f \t]*+")|(?P<number>[0-9]{1,18}+)
    |(?P<end>\}[ \t]*+)|(?P<mark>[(),]))""",
    re.VERBOSE,
)
_SLICE = re.compile(rf"[ \t]*+{SLICE}")


class NotPlain(Exception):
    """These words need the grammar."""


def sliced(match: re.Match[str]) -> Slice:
    """The slice with this start and stop."""
    start, stop = (None if text is None else int(text) for text in match.group("start", "stop"))
    return Slice(start, stop)


def template(line: str, start: int, stop: int, place: Place) -> Template:
    """The template that this part of the line is; `place` is where it begins.

    Raises:
        NotPlain: the grammar must read it.
    """
    parts: list[Expression] = []
    at = start
    while at < stop:
        match = _PART.match(line, at, stop)
        if match is None:
            raise NotPlain
        if match["digits"] is not None:
            part: Expression = _pattern(match["digits"])
            at = match.end()
        else:
            part, at = _expression(line, match.end(), place, 0)
            end = _WORD.match(line, at)
            if end is None or end["end"] is None:
                raise NotPlain
            at = end.end()
        parts.append(part)
    return Template.of(parts, place)


def _pattern(written: str) -> Pattern:
    words = written.split()
    if any(len(word) % 2 for word in words):
        raise NotPlain
    return Pattern.of("".join(words))


def _expression(line: str, at: int, place: Place, depth: int) -> tuple[Expression, int]:
    """The expression that begins here, and where it ends."""
    match = _WORD.match(line, at)
    if match is None or depth > DEEPEST:
        raise NotPlain
    at = match.end()
    if match["name"] is not None:
        here = Place(place.file, place.line, match.start("name") + 1)
        value: Expression = Name(match["name"], here)
        opening = _WORD.match(line, at)
        if opening is not None and opening["mark"] == "(":
            arguments, at = _arguments(line, opening.end(), place, depth + 1)
            value = Call(match["name"], arguments, here)
    elif match["quoted"] is not None:
        here = Place(place.file, place.line, match.start("quoted") + 1)
        value = _quoted(match["quoted"])
    else:
        raise NotPlain
    while (part := _SLICE.match(line, at)) is not None:
        value, at = PartOf(value, sliced(part), here), part.end()
    return value, at


def _arguments(line: str, at: int, place: Place, depth: int) -> tuple[tuple[Expression, ...], int]:
    """What stands between the brackets of a call, and where it ends."""
    arguments: list[Expression] = []
    while True:
        match = _WORD.match(line, at)
        if match is None:
            raise NotPlain
        if match["mark"] == ")" and not arguments:
            return (), match.end()
        if match["number"] is not None:
            arguments.append(_number(match["number"]))
            at = match.end()
        else:
            argument, at = _expression(line, at, place, depth)
            arguments.append(argument)
        mark = _WORD.match(line, at)
        if mark is None or mark["mark"] not in (",", ")"):
            raise NotPlain
        at = mark.end()
        if mark["mark"] == ")":
            return tuple(arguments), at


def _quoted(written: str) -> Pattern:
    try:
        return Pattern.exactly(bytes.fromhex(written.strip('"')))
    except ValueError:
        raise NotPlain from None


def _number(digits: str) -> Pattern:
    count = int(digits)
    return Pattern.exactly(count.to_bytes((count.bit_length() + 7) // 8 or 1, "big"))
