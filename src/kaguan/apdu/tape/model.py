"""What a tape says, as values: statements, templates with names in them, and patterns with wildcards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from kaguan.apdu.errors import TapeError

_VALUE: Final = str.maketrans("X", "0")
_MASK: Final = str.maketrans("0123456789ABCDEFabcdefX", "F" * 22 + "0")


class Place(NamedTuple):
    """Where in which file something stands; line and column are 1-based."""

    file: str
    line: int
    column: int

    def error(self, message: str) -> TapeError:
        """The error that says this about here."""
        return TapeError(message, file=self.file, line=self.line, column=self.column)

    def __str__(self) -> str:
        return f"{self.file or '<input>'}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes of which some nibbles, and perhaps the rest, may be anything.

    `mask` has F where a nibble is given and 0 where it is free; `value` has 0 there.
    """

    value: bytes
    mask: bytes
    open_ended: bool = False

    @classmethod
    def exactly(cls, value: bytes) -> Pattern:
        """The pattern that these bytes alone match."""
        return cls(value, b"\xff" * len(value))

    @classmethod
    def of(cls, text: str) -> Pattern:
        """The pattern that is written so: hex digits, X for any, perhaps * at the end. The inverse of `str`.

        Raises:
            ValueError: it is written in any other way.
        """
        digits = text.removesuffix("*")
        mask = digits.translate(_MASK)
        return cls(bytes.fromhex(digits.translate(_VALUE)), bytes.fromhex(mask), open_ended=digits != text)

    @classmethod
    def join(cls, patterns: Iterable[Pattern]) -> Pattern:
        """One after the other; the last tells whether more may follow."""
        every = tuple(patterns)
        value, mask = b"".join(one.value for one in every), b"".join(one.mask for one in every)
        return cls(value, mask, every[-1].open_ended if every else False)

    def matches(self, data: bytes) -> bool:
        """True when these bytes are what the pattern allows."""
        size = len(self.value)
        if len(data) < size or (len(data) > size and not self.open_ended):
            return False
        head, mask = int.from_bytes(data[:size], "big"), int.from_bytes(self.mask, "big")
        return head & mask == int.from_bytes(self.value, "big")

    def differs_at(self, data: bytes) -> int:
        """The index of the first byte that the pattern does not allow; the shorter length when all do."""
        together = enumerate(zip(data, self.value, self.mask, strict=False))
        shorter = min(len(data), len(self.value))
        return next((at for at, (byte, value, mask) in together if byte & mask != value), shorter)

    @property
    def exact(self) -> bytes | None:
        """The only bytes that match; None when there are several."""
        free = self.open_ended or self.mask.count(0xFF) < len(self.mask)
        return None if free else self.value

    def __add__(self, after: Pattern) -> Pattern:
        return Pattern.join((self, after))

    def __str__(self) -> str:
        nibbles = zip(self.value.hex().upper(), self.mask.hex(), strict=True)
        return "".join(digit if given == "f" else "X" for digit, given in nibbles) + "*" * self.open_ended


@dataclass(frozen=True, slots=True)
class Name:
    """A value that was defined or captured earlier."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """What a registered function makes of its arguments."""

    function: str
    arguments: tuple[Expression, ...]
    place: Place


class Slice(NamedTuple):
    """Bytes from `start` up to and without `stop`, both counted as Python does; None is the end."""

    start: int | None
    stop: int | None

    def of(self, data: bytes) -> bytes | None:
        """These bytes; None when the data is too short to have them all."""
        size = len(data)
        start, stop = (
            default if at is None else at + size if at < 0 else at
            for at, default in ((self.start, 0), (self.stop, size))
        )
        return data[start:stop] if 0 <= start <= stop <= size else None

    def __str__(self) -> str:
        start, stop = ("" if at is None else str(at) for at in self)
        return f"[{start}:{stop}]"


@dataclass(frozen=True, slots=True)
class PartOf:
    """Some bytes of another expression."""

    whole: Expression
    part: Slice
    place: Place


Expression: TypeAlias = Pattern | Name | Call | PartOf


@dataclass(frozen=True, slots=True)
class Template:
    """Parts that make one pattern when names and calls have been filled in."""

    parts: tuple[Expression, ...]
    place: Place

    @classmethod
    def of(cls, parts: Iterable[Expression], place: Place) -> Template:
        """The template of these parts. Neighbouring bytes become one pattern, so that a plain command needs no work
        when it is sent."""
        joined: list[Expression] = []
        for plain, group in groupby(parts, lambda part: isinstance(part, Pattern)):
            if plain:
                joined.append(Pattern.join(part for part in group if isinstance(part, Pattern)))
            else:
                joined.extend(group)
        return cls(tuple(joined), place)


@dataclass(frozen=True, slots=True)
class Statuses:
    """Status words, any of which is welcome."""

    patterns: tuple[Pattern, ...]
    place: Place

    def __str__(self) -> str:
        return f"({','.join(map(str, self.patterns))})"


@dataclass(frozen=True, slots=True)
class Capture:
    """Keep a part of the response data under a name."""

    name: str
    part: Slice
    place: Place


@dataclass(frozen=True, slots=True)
class Send:
    """Send a command; data and status words that are None are not checked."""

    command: Template
    data: Template | None
    statuses: Statuses | None
    captures: tuple[Capture, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the card; the ATR takes the place of response data."""

    data: Template | None
    captures: tuple[Capture, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """What the command or reset above it must get, status word and all; gone once a tape is parsed."""

    said: tuple[Expression, ...]
    captures: tuple[Capture, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SwitchCard:
    """Speak to another card from here on."""

    number: int
    place: Place


@dataclass(frozen=True, slots=True)
class Define:
    """Give bytes a name."""

    name: str
    value: Template
    place: Place


@dataclass(frozen=True, slots=True)
class Include:
    """Read another tape here; gone once a tape is parsed."""

    file: str
    place: Place


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same statements several times."""

    times: int
    body: tuple[Statement, ...]
    place: Place


Step: TypeAlias = Send | Reset | SwitchCard | Define
Statement: TypeAlias = Step | Include | Repeat | Answer


@dataclass(frozen=True, slots=True)
class Tape:
    """A parsed tape."""

    statements: tuple[Statement, ...]
    file: str = ""

    def steps(self) -> Iterator[Step]:
        """What is played, in this order, one at a time: repeats are unrolled as they are reached."""
        return _steps(self.statements)


def _steps(statements: Iterable[Statement]) -> Iterator[Step]:
    for statement in statements:
        if isinstance(statement, Repeat):
            for _ in range(statement.times):
                yield from _steps(statement.body)
        elif isinstance(statement, Include | Answer):
            raise AssertionError("a parsed tape has no include and no answer of its own left")
        else:
            yield statement
