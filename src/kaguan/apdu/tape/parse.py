"""Text to tape: every fault is a `TapeError` that names file, line and column.

Law. A tape of any size reads in memory that its own text explains, and what it plays comes to an end: statements,
steps and nesting are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from kaguan.apdu.errors import PlacedInputError
from kaguan.apdu.tape.build import Build, answered
from kaguan.apdu.tape.model import Answer, Include, Place, Repeat, Statement, Tape
from kaguan.apdu.tape.plain import Chunk, chunks

_GRAMMAR: Final = Lark.open_from_package(
    __package__ or "", "grammar.lark", parser="lalr", propagate_positions=True, maybe_placeholders=True
)
MOST_STATEMENTS: Final = 100_000
"""All files of a tape together."""

MOST_STEPS: Final = 10_000_000
"""What a tape plays when its repeats are unrolled; each turn of a repeat counts, also an empty one."""

DEEPEST: Final = 16
"""Repeats and included files inside one another."""

LONGEST_SHOWN: Final = 16
"""Characters of what an error quotes."""

MOST_DIGITS_SHOWN: Final = 4
"""Hex digits: a status word, a file's identifier."""

_DIGITS: Final = frozenset("0123456789abcdefABCDEFX ")
_TERMINALS: Final = {
    "NIBBLES": "hex digits",
    "NAME": "a name",
    "INTEGER": "a number",
    "FILE": "a file name",
    "QUOTED": "hex digits in quotes",
    "EQUALS": "=",
    "_COMMAND": ">",
    "_ANSWER": "<",
    "REST": "*",
    "_NEWLINE": "the end of the line",
    "$END": "the end of the tape",
    **{token.name: token.pattern.value for token in _GRAMMAR.terminals if token.pattern.type == "str"},
}


def parse(text: str, *, file: str = "", include: Callable[[str], str] | None = None) -> Tape:
    """The tape that this text is, with the tapes that it includes inside it.

    `include` gives the text of a file by its name as seen from the tape's own folder; without it `.include` is refused.

    Raises:
        TapeError: the text is no tape, a file includes itself, or the tape is beyond a bound.
    """
    return Tape(tuple(_Reading(include).statements(_read(text, file), _Where((file,), 0, 1))), file)


class _Where(NamedTuple):
    """Inside what a statement stands: the files from the outermost on, how many of repeats and files, and how often
    it is played."""

    files: tuple[str, ...]
    depth: int
    times: int


class _Reading:
    """One tape with all that it includes, counted as it is read."""

    def __init__(self, include: Callable[[str], str] | None) -> None:
        self._include = include
        self._statements = 0
        self._steps = 0

    def statements(self, statements: Iterable[Statement], where: _Where) -> Iterator[Statement]:
        """The statements with those of included files in their places."""
        for statement in statements:
            self._count(statement, where)
            if isinstance(statement, Repeat):
                inside = where._replace(depth=where.depth + 1, times=where.times * statement.times)
                yield Repeat(statement.times, tuple(self.statements(statement.body, inside)), statement.place)
            elif isinstance(statement, Include):
                text, files = self._included(statement, where.files)
                inside = where._replace(files=files, depth=where.depth + 1)
                yield from self.statements(_read(text, files[-1]), inside)
            else:
                yield statement

    def _count(self, statement: Statement, where: _Where) -> None:
        self._statements += 1
        self._steps += where.times * (statement.times if isinstance(statement, Repeat) else 1)
        if self._statements > MOST_STATEMENTS:
            raise statement.place.error(f"more than {MOST_STATEMENTS} statements: split the tape")
        if self._steps > MOST_STEPS:
            raise statement.place.error(f"more than {MOST_STEPS} steps to play: repeat less often")
        if where.depth > DEEPEST:
            raise statement.place.error(f"nested too deeply: more than {DEEPEST} repeats and files")

    def _included(self, statement: Include, files: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """The included file's text, and the way to it: named from the folder of the tape that includes it."""
        folder, slash, _ = files[-1].rpartition("/") if len(files) > 1 else ("", "", "")
        name = folder + slash + statement.file
        within = (*files, name)
        if self._include is None:
            raise statement.place.error("a tape from here cannot include files")
        if name in files:
            raise statement.place.error(f"{' includes '.join(within)}: without end")
        try:
            return self._include(name), within
        except PlacedInputError as error:
            if error.line:
                raise
            raise statement.place.error(f"{error.file}: {error.message}") from error


def _read(text: str, file: str) -> Iterator[Statement]:
    """The statements of the text, each as soon as the next shows that no answer to it follows."""
    last: Statement | None = None
    for chunk in chunks(text.removeprefix("\ufeff"), file):
        for statement in _by_grammar(chunk, file) if isinstance(chunk, Chunk) else (chunk,):
            if isinstance(statement, Answer):
                last = answered(last, statement)
                continue
            if last is not None:
                yield last
            last = statement
    if last is not None:
        yield last


def _by_grammar(chunk: Chunk, file: str) -> tuple[Statement, ...]:
    try:
        tree = _GRAMMAR.parse(chunk.text + "\n")
        statements: tuple[Statement, ...] = Build(file, chunk.before).transform(tree)
    except UnexpectedInput as error:
        raise Place(file, chunk.before + error.line, error.column).error(_complaint(error)) from None
    except VisitError as error:
        raise error.orig_exc from None
    except RecursionError:
        raise Place(file, chunk.before + 1, 1).error("nested too deeply") from None
    return statements


def _cut(text: str) -> str:
    """What is long is cut: it explains nothing. Digits are not told: they may be a PIN or a key."""
    digits = text.strip('"')
    if len(digits) > MOST_DIGITS_SHOWN and set(digits) <= _DIGITS:
        return f"{len(digits)} hex digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN // 2]}... ({len(text)} characters)"


def _complaint(error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedToken):
        wanted, found = error.expected, _TERMINALS.get(error.token.type, "")
        if error.token.type not in {"_NEWLINE", "$END"}:
            found = _cut(str(error.token))
    elif isinstance(error, UnexpectedCharacters):
        wanted, found = error.allowed, error.char
    else:
        return "the tape ends too early"
    expected = sorted(_TERMINALS.get(name, name) for name in wanted or ())
    return f"expected {' or '.join(expected)}, found {found}"
