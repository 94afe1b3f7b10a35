"""Scripts of `scriptor` (pcsc-tools 1.6), line by line as that program takes them.

A line that holds `exit` anywhere, in either case, ends the script, comments included; `#` begins a comment at a line's
first character only; a line that holds `reset` resets the card; a backslash at the end of a line continues the
command. What the program sends, it sends as it is, and it expects nothing of the answer.

More than the program we take tabs, several spaces, and Windows' line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kaguan.apdu.tape import Pattern, Tape
from kaguan.apdu.tape.model import Place, Reset, Send, Statement, Template
from kaguan.terminal.scripts.script import CardScript, syntax_error

_EXIT, _RESET = re.compile("exit", re.IGNORECASE), re.compile("reset", re.IGNORECASE)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}|\s)*+")
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def read_scriptor(text: str, file: str) -> CardScript:
    """The script that this text is to `scriptor`.

    Raises:
        ScriptSyntaxError: a line that the program would die of.
    """
    return CardScript(file, (Tape(tuple(_statements(text, file)), file),))


def _statements(text: str, file: str) -> Iterator[Statement]:
    begun, begun_at = "", None
    for number, line in enumerate(text.split("\n"), 1):
        if _EXIT.search(line):
            return
        if not line.strip() or line.startswith("#"):
            continue
        at = Place(file, number, len(line) - len(line.lstrip()) + 1)
        if _RESET.search(line):
            yield Reset(None, (), at)
            continue
        content = line.rstrip()
        continued = content.endswith("\\")
        begun += " " + _hex(content[:-1] if continued else content, at)
        begun_at = begun_at or at
        if not continued:
            yield _send(begun, begun_at)
            begun, begun_at = "", None


def _hex(content: str, at: Place) -> str:
    """The line's hex digits, in whole bytes."""
    if _HEX.fullmatch(content):
        return content
    column, found = _fault(content)
    raise syntax_error(at._replace(column=column), f"expected hex bytes, reset, exit or a comment, found {found}")


def _fault(content: str) -> tuple[int, str]:
    """The column of what is no hex byte, and what it is."""
    for word in re.finditer(r"\S+", content):
        for offset, character in enumerate(word.group()):
            if character not in _HEX_DIGITS:
                return word.start() + offset + 1, repr(character)
        if len(word.group()) % 2:
            return word.end(), "half a byte"
    raise AssertionError("every line without a fault is hex")


def _send(digits: str, place: Place) -> Send:
    return Send(Template((Pattern.exactly(bytes.fromhex(digits)),), place), None, None, (), place)
