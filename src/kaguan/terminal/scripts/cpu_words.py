"""The words of a CPU card script (CPU卡脚本): names, hex digits and marks, with full-width forms read as their plain
ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from kaguan.apdu.tape.parse import MOST_DIGITS_SHOWN
from kaguan.terminal.scripts.places import Places
from kaguan.terminal.scripts.script import syntax_error

NEWLINE: Final = "\n"
END: Final = ""

_PLAIN: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
_TOKEN = re.compile(
    r"""(?P<blank>(?m:^)[ \t]*[0-9]+\.[ \t]|[ \t\f\v]+|//[^\r\n]*)
    |(?P<block>/\*.*?\*/)
    |(?P<newline>\r\n|\r|\n|;)
    |(?P<word>\w+)
    |(?P<mark>[+(),=])""",
    re.VERBOSE | re.DOTALL,
)


HEX = re.compile(r"[0-9A-Fa-f]+")


class Word(NamedTuple):
    """A name, hex digits, a mark, or the end of a line or of the script; `at` is its index in the text."""

    text: str
    at: int

    @property
    def shown(self) -> str:
        """The word for an error: a long one is cut, and digits are not told, for they may be a PIN or a key."""
        if self.text in (NEWLINE, END):
            return "the end of the line" if self.text else "the end of the script"
        if len(self.text) > MOST_DIGITS_SHOWN and HEX.fullmatch(self.text):
            return f"{len(self.text)} hex digits"
        return self.text if len(self.text) <= 16 else f"{self.text[:8]}... ({len(self.text)} characters)"

    @property
    def is_mark(self) -> bool:
        """True of all but names and digits."""
        return not self.text or self.text in "\n+(),="


def plain(text: str) -> str:
    """The text with plain forms for full-width ones, each character in its place."""
    return text.translate(_PLAIN)


def words(text: str, places: Places) -> Iterator[Word]:
    """The words in their order, the end of the script last; comments are passed over.

    Raises:
        ScriptSyntaxError: a character that no script has.
    """
    narrow = plain(text)
    at = 0
    while at < len(narrow):
        match = _TOKEN.match(narrow, at)
        if match is None:
            if narrow.startswith("/*", at):
                raise syntax_error(places.of(at), "expected */ after this, found the end of the script")
            raise syntax_error(places.of(at), f"expected a name, hex digits or one of + ( ) , =, found {text[at]!r}")
        if match.lastgroup in ("word", "mark"):
            yield Word(match.group(), at)
        elif match.lastgroup == "newline":
            yield Word(NEWLINE, at)
        at = match.end()
    yield Word(END, len(narrow))
