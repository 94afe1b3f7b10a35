"""The words of an apdutool script, with those in their places that #define gave a meaning.

Directives have a line of their own: `#define NAME words`, `#undef NAME`, `#ifdef NAME`, `#ifndef NAME`, `#else`,
`#endif`. They work as C's do; a definition takes no arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from kaguan.terminal.scripts.places import Places
from kaguan.terminal.scripts.script import ScriptSyntaxError, syntax_error

MOST_DEFINED: Final = 70_000
"""Words that definitions put into a script, over and above one for each of its characters."""


class Kind(StrEnum):
    """What a token is."""

    SPACE = "space"
    AID = "aid"
    COMMENT = "comment"
    DIRECTIVE = "directive"
    TEXT = "text"
    CHARACTER = "character"
    NUMBER = "number"
    WORD = "word"
    END = "end"


_TOKEN = re.compile(
    r"""\s*
    (?:(?P<aid>//aid/[0-9A-Fa-f]+/[0-9A-Fa-f]*)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?m:^)[ \t]*(?P<directive>\#[^\n]*)
    |(?P<text>"(?:[^"\\\n]|\\.)*")
    |(?P<character>'(?:[^'\\\n]|\\.)')
    |(?P<number>0[xX][0-9A-Fa-f]+|[0-9]+)(?![\w])
    |(?P<word>[A-Za-z_][A-Za-z_0-9]*)(?![\w])
    |(?P<end>;)
    |(?P<space>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_KINDS: Final = {kind.value: kind for kind in Kind}
_DIRECTIVE = re.compile(r"#[ \t]*(?P<what>[a-z]*)(?:[ \t]+(?P<name>[A-Za-z_][A-Za-z_0-9]*)(?P<rest>[ \t][^\n]*)?)?\s*")
_NAMED: Final = ("define", "undef", "ifdef", "ifndef")


class Token(NamedTuple):
    """A word, a number, a text or a semicolon; `at` is where in the script it, or the name that it stands for, is."""

    kind: Kind
    text: str
    at: int


class _Branch(NamedTuple):
    """A condition that is open: where it began, whether its words count, and whether its #else was seen."""

    at: int
    taken: bool
    turned: bool


class Words:
    """The words of one script."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._places = Places(text, file)
        self._meanings: dict[str, tuple[Token, ...]] = {}
        self._branches: list[_Branch] = []
        self._defined = 0

    def tokens(self) -> Iterator[Token]:
        """All that counts, definitions filled in.

        Raises:
            ScriptSyntaxError: characters that no script has, a directive that is none, a condition without its end.
        """
        for token in self._raw(0, len(self._text)):
            if token.kind is Kind.DIRECTIVE:
                self._direct(token)
            elif all(branch.taken for branch in self._branches):
                yield from self._filled(token, token.at, ())
        if self._branches:
            raise self._error(self._branches[-1].at, "expected #endif after this, found the end of the script")

    def _raw(self, at: int, stop: int) -> Iterator[Token]:
        while at < stop:
            match = _TOKEN.match(self._text, at, stop)
            if match is None:
                raise self._stray(at + len(self._text[at:stop]) - len(self._text[at:stop].lstrip()))
            kind = _KINDS[match.lastgroup or ""]
            if kind is not Kind.SPACE and kind is not Kind.COMMENT:
                yield Token(kind, match[kind], match.start(kind))
            at = match.end()

    def _filled(self, token: Token, at: int, inside: tuple[str, ...]) -> Iterator[Token]:
        """The token, or what it was defined to be; never again inside itself."""
        if token.kind is not Kind.WORD or token.text not in self._meanings or token.text in inside:
            yield token._replace(at=at)
            return
        for part in self._meanings[token.text]:
            self._defined += 1
            if self._defined > MOST_DEFINED + len(self._text):
                raise self._error(at, "definitions make this script too long")
            yield from self._filled(part, at, (*inside, token.text))

    def _direct(self, token: Token) -> None:
        match = _DIRECTIVE.fullmatch(token.text)
        what = match["what"] if match else ""
        name = match["name"] if match else None
        if match is None or (what in _NAMED) != (name is not None) or (match["rest"] and what != "define"):
            what = ""
        taken = all(branch.taken for branch in self._branches)
        match what:
            case "ifdef" | "ifndef":
                self._branches.append(_Branch(token.at, (name in self._meanings) == (what == "ifdef"), turned=False))
            case "else" if self._branches and not self._branches[-1].turned:
                open_one = self._branches.pop()
                self._branches.append(_Branch(open_one.at, not open_one.taken, turned=True))
            case "endif" if self._branches:
                self._branches.pop()
            case "define" if match and name:
                if taken:
                    self._meanings[name] = tuple(self._raw(token.at + match.end("name"), token.at + len(token.text)))
            case "undef" if name:
                if taken:
                    self._meanings.pop(name, None)
            case _:
                raise self._error(
                    token.at,
                    f"expected #define NAME words, #undef, #ifdef, #ifndef, #else or #endif, found {token.text[:16]}",
                )

    def _stray(self, at: int) -> ScriptSyntaxError:
        character = self._text[at]
        if self._text.startswith("/*", at):
            return self._error(at, "expected */ after this, found the end of the script")
        if character == "#":
            return self._error(at, "expected ; or the end of the line before #")
        if character in "\"'":
            return self._error(at, f"expected another {character} in this line, found its end")
        return self._error(at, f"expected a number, a word or ;, found {self._text[at : at + 8].split()[0]!r}")

    def _error(self, at: int, message: str) -> ScriptSyntaxError:
        return syntax_error(self._places.of(at), message)
