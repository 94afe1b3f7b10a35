"""Kinds of settings: how a value is written in TOML and JSON, what it may be, and how the docs describe it.

Law. `read` takes what `write` made, and what is read already; whatever else it does not understand, it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from kaguan.card_os.profile.model import Confidence

NEVER: Final = "never"
_NOTE: Final = "region setting"

T = TypeVar("T")


class Kind(Protocol):
    """What a setting's values are."""

    def read(self, value: object) -> object:
        """Return the typed value; refuse with ValueError that says what to write instead."""

    def write(self, value: Any) -> object:
        """Return the value as TOML and JSON hold it."""

    def describe(self) -> str:
        """Return in a few words what may stand there."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, both included."""

    least: int
    most: int

    def read(self, value: object) -> int:
        """Return the number; a truth value is none."""
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(f"{value!r} is not {self.describe()}")
        return value

    def write(self, value: int) -> int:
        """Return the number."""
        return value

    def describe(self) -> str:
        """Return the bounds."""
        return f"a whole number from {self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: object) -> bool:
        """Return the truth value; a number is none."""
        if type(value) is not bool:
            raise ValueError(f"{value!r} is not {self.describe()}")
        return value

    def write(self, value: bool) -> bool:  # noqa: FBT001 - it is the value
        """Return the truth value."""
        return value

    def describe(self) -> str:
        """Return both words."""
        return "true or false"


@dataclass(frozen=True, slots=True)
class Always:
    """true, for a rule that no region may give up; `because` says why."""

    because: str

    def read(self, value: object) -> bool:
        """Return true; everything else is refused with the reason."""
        if value is not True:
            raise ValueError(f"{value!r} is not true: {self.because}")
        return True

    def write(self, value: bool) -> bool:  # noqa: FBT001 - it is the value
        """Return true."""
        return value

    def describe(self) -> str:
        """Return that there is no choice, and why."""
        return f"true: {self.because}"


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day: a date in TOML, its ISO 8601 text in JSON."""

    def read(self, value: object) -> date:
        """Return the day; a moment is none."""
        if type(value) is date:
            return value
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not {self.describe()}")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not {self.describe()}") from None

    def write(self, value: date) -> str:
        """Return the day in ISO 8601."""
        return value.isoformat()

    def describe(self) -> str:
        """Return how a day is written."""
        return "a day such as 2026-01-31"


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a list."""

    words: type[StrEnum]

    def read(self, value: object) -> StrEnum:
        """Return the word."""
        for word in self.words:
            if word == value:
                return word
        raise ValueError(f"{value!r} is not {self.describe()}")

    def write(self, value: StrEnum) -> str:
        """Return the word as text."""
        return value.value

    def describe(self) -> str:
        """Return the whole list."""
        return "one of " + ", ".join(word.value for word in self.words)


@dataclass(frozen=True, slots=True)
class OrNever:
    """What another kind takes, or the word never, which is None."""

    kind: Kind

    def read(self, value: object) -> object:
        """Return the other kind's value, or None."""
        if value is None or value == NEVER:
            return None
        try:
            return self.kind.read(value)
        except ValueError:
            raise ValueError(f"{value!r} is not {self.describe()}") from None

    def write(self, value: object) -> object:
        """Return the other kind's form, or never."""
        return NEVER if value is None else self.kind.write(value)

    def describe(self) -> str:
        """Return both."""
        return f'{self.kind.describe()}, or "{NEVER}"'


@dataclass(frozen=True, slots=True)
class Several:
    """A list without doubles."""

    kind: Kind

    def read(self, value: object) -> tuple[object, ...]:
        """Return the values in their order."""
        if not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is not {self.describe()}")
        found = tuple(self.kind.read(item) for item in value)
        for place, item in enumerate(found):
            if item in found[:place]:
                raise ValueError(f"{item!s} stands there twice")
        return found

    def write(self, value: tuple[object, ...]) -> list[object]:
        """Return a list."""
        return [self.kind.write(item) for item in value]

    def describe(self) -> str:
        """Return what the list is of."""
        return f"a list, each {self.kind.describe()}"


@dataclass(frozen=True, slots=True)
class Digits:
    """Text of so many digits."""

    count: int

    def read(self, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str) or len(value) != self.count or not (value.isascii() and value.isdigit()):
            raise ValueError(f"{value!r} is not {self.describe()}")
        return value

    def write(self, value: str) -> str:
        """Return the text."""
        return value

    def describe(self) -> str:
        """Return how many digits."""
        return f"{self.count} digits in quotes"


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a region decides: where it stands in the file, what it may be, and what holds when nobody says."""

    table: str
    title: str
    kind: Kind
    default: object
    confidence: Confidence


def setting(table: str, kind: Kind, confidence: str, title: str, *, default: T) -> T:
    """Return a dataclass field that carries its setting; to the type checker it is the default."""
    note = Setting(table, title, kind, default, Confidence(confidence))
    return field(default=default, metadata={_NOTE: note})


def settings_of(rules: Any) -> Mapping[str, Setting]:
    """Return the settings of a dataclass by their names, in their order."""
    fields = rules.__dataclass_fields__.items()
    return MappingProxyType({name: one.metadata[_NOTE] for name, one in fields if _NOTE in one.metadata})
