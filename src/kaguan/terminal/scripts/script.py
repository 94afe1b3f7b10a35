"""What every dialect is read into: tapes, and what happens between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from kaguan.apdu.errors import PlacedInputError
from kaguan.apdu.tape import Functions, Tape
from kaguan.apdu.tape.model import Place, Repeat, Statement, SwitchCard
from kaguan.apdu.tape.run import NO_FUNCTIONS

Include: TypeAlias = Callable[[str], str]
"""The text of a file that a script includes, by its name as written."""


class ScriptSyntaxError(PlacedInputError):
    """A script that cannot be read."""


def syntax_error(place: Place, message: str) -> ScriptSyntaxError:
    """The error that says this about here."""
    return ScriptSyntaxError(message, file=place.file, line=place.line, column=place.column)


@dataclass(frozen=True, slots=True)
class Say:
    """Show a text to the person who watches."""

    text: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a while."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Show:
    """From here on show, or do not show, what is said to the card."""

    wanted: bool


Part: TypeAlias = Tape | Say | Wait | Show


class CardScript(NamedTuple):
    """A script that was read. Names live as long as the tape that they stand in; most scripts are one tape.

    `follows` is true of dialects whose tool gets the whole answer after 61xx and 6Cxx by itself.
    """

    file: str
    parts: tuple[Part, ...]
    functions: Functions = NO_FUNCTIONS
    follows: bool = False

    def require_cards(self, connected: int) -> None:
        """Every card that the script speaks to is there.

        Raises:
            ScriptSyntaxError: one is not; with the place where it is spoken to.
        """
        for part in self.parts:
            for place, number in _switches(part.statements) if isinstance(part, Tape) else ():
                if number >= connected:
                    what = "the PSAM: name it with --psam" if number == 1 else "one card more: name it with --card"
                    raise syntax_error(place, f"card {number} is spoken to here, which needs {what}")


def _switches(statements: tuple[Statement, ...]) -> Iterator[tuple[Place, int]]:
    for statement in statements:
        if isinstance(statement, SwitchCard):
            yield statement.place, statement.number
        elif isinstance(statement, Repeat):
            yield from _switches(statement.body)
