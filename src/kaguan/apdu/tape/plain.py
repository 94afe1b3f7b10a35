"""The lines that most of a tape consists of, read without the grammar: commands in hex, in hex what is expected, one
part of the answer that is kept.

Law. What is read here the grammar reads alike; what is not as plain, and what is wrong, is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from kaguan.apdu.tape.model import Capture, Pattern, Place, Send, Slice, Statuses, Template

# Possessive, so that a line of any length is matched or given up in one pass.
_PLAIN = re.compile(
    r"""[ \t]*+
    (?:(?P<command>[0-9A-Fa-fX](?:[0-9A-Fa-fX \t]*[0-9A-Fa-fX])?)[ \t]*+
        (?P<data>\[(?P<digits>[0-9A-Fa-fX \t]*+)(?P<rest>\*|\.\.)?[ \t]*+\][ \t]*+)?+
        (?P<statuses>(?:\((?P<words>[0-9A-Fa-fX]{4}(?:,[0-9A-Fa-fX]{4})*)\)|=(?P<word>[0-9A-Fa-fX]{4})?)[ \t]*+)?+
        (?P<capture>->[ \t]*+(?P<name>[^\W\d]\w*+)[ \t]*+
            (?:=[ \t]*+\[[ \t]*+(?P<start>-?[0-9]{1,18}+)?[ \t]*+:[ \t]*+(?P<stop>-?[0-9]{1,18}+)?[ \t]*+\][ \t]*+)?+
        )?+
    )?
    (?:(?:\#|//).*)?""",
    re.VERBOSE,
)
_BEGIN, _END = re.compile(r"[ \t]*\.repeat\b"), re.compile(r"[ \t]*\.end\b")
_CONTINUED = re.compile(r"\\[ \t]*\r?$")
_DONE: Final = Pattern.exactly(b"\x90\x00")


class Chunk(NamedTuple):
    """Lines for the grammar, and how many lines are before them."""

    text: str
    before: int


def chunks(text: str, file: str) -> Iterator[Send | Chunk]:
    """The tape in its order: plain commands, and between them what the grammar must read. A repeat is in one chunk."""
    kept: list[str] = []
    depth = 0
    open_line = False
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not depth and not open_line:
            plain = _plain(line.removesuffix("\r"), file, number)
            if plain is not None:
                if kept:
                    yield Chunk("\n".join(kept), number - 1 - len(kept))
                    kept = []
                yield from plain
                continue
        if not open_line:
            depth = max(0, depth + bool(_BEGIN.match(line)) - bool(_END.match(line)))
        open_line = _CONTINUED.search(line) is not None
        kept.append(line)
    if kept:
        yield Chunk("\n".join(kept), len(lines) - len(kept))


def _plain(line: str, file: str, number: int) -> tuple[Send, ...] | None:
    """The command in the line, none when it is empty, None when the grammar must read it."""
    match = _PLAIN.fullmatch(line)
    if match is None:
        return None
    written = match["command"]
    if written is None:
        return ()
    command = _pattern(written)
    expected = match["digits"]
    data = None if expected is None else _pattern(expected)
    if command is None or (expected is not None and data is None):
        return None
    place = Place(file, number, match.start("command") + 1)
    template = None
    if data is not None:
        data = Pattern(data.value, data.mask, open_ended=match["rest"] is not None)
        at = Place(file, number, match.start("data") + 1)
        template = Template((data,) if data.value or data.open_ended else (), at)
    captures = _captures(match, file, number)
    return (Send(Template((command,), place), template, _statuses(match, file, number), captures, place),)


def _statuses(match: re.Match[str], file: str, number: int) -> Statuses | None:
    if match["statuses"] is None:
        return None
    place = Place(file, number, match.start("statuses") + 1)
    words = match["words"] or match["word"]
    return Statuses(tuple(map(Pattern.of, words.split(","))) if words else (_DONE,), place)


def _captures(match: re.Match[str], file: str, number: int) -> tuple[Capture, ...]:
    if match["capture"] is None:
        return ()
    start, stop = (None if text is None else int(text) for text in match.group("start", "stop"))
    return (Capture(match["name"], Slice(start, stop), Place(file, number, match.start("name") + 1)),)


def _pattern(written: str) -> Pattern | None:
    """The pattern of these digits; None when some stand alone."""
    words = written.split()
    if any(len(word) % 2 for word in words):
        return None
    return Pattern.of("".join(words))
