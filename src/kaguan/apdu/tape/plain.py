"""The lines that most of a tape consists of, read without the grammar: commands and definitions, what is expected, one
part of the answer that is kept.

Law. What is read here the grammar reads alike; what is not as plain, and what is wrong, is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from kaguan.apdu.tape.model import Capture, Define, Pattern, Place, Send, Statuses, Template
from kaguan.apdu.tape.plain_parts import PARTS, SLICE, NotPlain, sliced, template

# Possessive, so that a line of any length is matched or given up in one pass.
_PLAIN = re.compile(
    rf"""[ \t]*+
    (?:(?:(?P<define>\.define[ \t]++(?P<defined>[^\W\d]\w*+)[ \t]*+(?P<value>{PARTS}++)))
    |(?P<command>{PARTS}++)
        (?P<data>\[[ \t]*+(?P<digits>{PARTS}*+)(?P<rest>\*|\.\.)?[ \t]*+\][ \t]*+)?+
        (?P<statuses>(?:\((?P<words>[0-9A-Fa-fX]{{4}}(?:,[0-9A-Fa-fX]{{4}})*)\)|=(?P<word>[0-9A-Fa-fX]{{4}})?)[ \t]*+)?+
        (?P<capture>->[ \t]*+(?P<name>[^\W\d]\w*+)[ \t]*+
            (?:=[ \t]*+{SLICE}[ \t]*+)?+
        )?+
    )?
    (?:(?:\#|//).*)?""",
    re.VERBOSE,
)
_BEGIN, _END = re.compile(r"[ \t]*\.repeat\b"), re.compile(r"[ \t]*\.end\b")
_CONTINUED = re.compile(r"\\[ \t]*\r?$")
_DONE: Final = Pattern.exactly(b"\x90\x00")
_REST: Final = Pattern(b"", b"", open_ended=True)


class Chunk(NamedTuple):
    """Lines for the grammar, and how many lines are before them."""

    text: str
    before: int


def chunks(text: str, file: str) -> Iterator[Send | Define | Chunk]:
    """The tape in its order: plain lines, and between them what the grammar must read. A repeat is in one chunk."""
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


def _plain(line: str, file: str, number: int) -> tuple[Send | Define, ...] | None:
    """The command or definition in the line, none when it is empty, None when the grammar must read it."""
    match = _PLAIN.fullmatch(line)
    if match is None:
        return None
    try:
        if match["define"] is not None:
            value = _template(match, "value", "value", file, number)
            return (Define(match["defined"], value, Place(file, number, match.start("define") + 1)),)
        return () if match["command"] is None else (_send(match, file, number),)
    except NotPlain:
        return None


def _send(match: re.Match[str], file: str, number: int) -> Send:
    command = _template(match, "command", "command", file, number)
    data = None if match["data"] is None else _template(match, "digits", "data", file, number)
    if data is not None and match["rest"] is not None:
        data = Template.of((*data.parts, _REST), data.place)
    captures = _captures(match, file, number)
    return Send(command, data, _statuses(match, file, number), captures, command.place)


def _template(match: re.Match[str], part: str, whole: str, file: str, number: int) -> Template:
    place = Place(file, number, match.start(whole) + 1)
    return template(match.string, match.start(part), match.end(part), place)


def _statuses(match: re.Match[str], file: str, number: int) -> Statuses | None:
    if match["statuses"] is None:
        return None
    place = Place(file, number, match.start("statuses") + 1)
    words = match["words"] or match["word"]
    return Statuses(tuple(map(Pattern.of, words.split(","))) if words else (_DONE,), place)


def _captures(match: re.Match[str], file: str, number: int) -> tuple[Capture, ...]:
    if match["capture"] is None:
        return ()
    return (Capture(match["name"], sliced(match), Place(file, number, match.start("name") + 1)),)
