"""Text to tape: every fault is a `TapeError` that names file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from kaguan.apdu.errors import TapeError
from kaguan.apdu.tape.build import Build
from kaguan.apdu.tape.model import Include, Place, Repeat, Statement, Tape

_GRAMMAR: Final = Lark.open_from_package(
    __package__ or "", "grammar.lark", parser="lalr", propagate_positions=True, maybe_placeholders=True
)
_TERMINALS: Final = {
    "NIBBLES": "hex digits",
    "NAME": "a name",
    "INTEGER": "a number",
    "FILE": "a file name",
    "QUOTED": "hex digits in quotes",
    "EQUALS": "=",
    "REST": "*",
    "_NEWLINE": "the end of the line",
    "$END": "the end of the tape",
    **{token.name: token.pattern.value for token in _GRAMMAR.terminals if token.pattern.type == "str"},
}


def parse(text: str, *, file: str = "", include: Callable[[str], str] | None = None) -> Tape:
    """The tape that this text is, with the tapes that it includes inside it.

    `include` gives the text of a file by its name as written; without it `.include` is refused.

    Raises:
        TapeError: the text is no tape, or a file includes itself.
    """
    return Tape(tuple(_statements(text, (file,), include)), file)


def _statements(text: str, files: tuple[str, ...], include: Callable[[str], str] | None) -> Iterator[Statement]:
    """The statements of one file; `files` is the way from the outermost file to this one."""
    for statement in _read(text, files[-1]):
        yield from _included(statement, files, include)


def _included(
    statement: Statement, files: tuple[str, ...], include: Callable[[str], str] | None
) -> Iterator[Statement]:
    if isinstance(statement, Repeat):
        body = (inner for outer in statement.body for inner in _included(outer, files, include))
        yield Repeat(statement.times, tuple(body), statement.place)
    elif isinstance(statement, Include):
        if include is None:
            raise statement.place.error("a tape from here cannot include files")
        if statement.file in files:
            raise statement.place.error(f"{' includes '.join((*files, statement.file))}: without end")
        yield from _statements(include(statement.file), (*files, statement.file), include)
    else:
        yield statement


def _read(text: str, file: str) -> tuple[Statement, ...]:
    try:
        tree = _GRAMMAR.parse(text.removeprefix("\ufeff") + "\n")
        statements: tuple[Statement, ...] = Build(file).transform(tree)
    except UnexpectedInput as error:
        raise Place(file, error.line, error.column).error(_complaint(error)) from None
    except VisitError as error:
        raise error.orig_exc from None
    except RecursionError:
        raise TapeError("nested too deeply", file=file) from None
    return statements


def _complaint(error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedToken):
        wanted, found = error.expected, _TERMINALS.get(error.token.type, "")
        if error.token.type not in {"_NEWLINE", "$END"}:
            found = str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        wanted, found = error.allowed, error.char
    else:
        return "the tape ends too early"
    expected = sorted(_TERMINALS.get(name, name) for name in wanted or ())
    return f"expected {' or '.join(expected)}, found {found}"
