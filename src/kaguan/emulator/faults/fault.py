"""One fault: what goes wrong, and when. `Fault.parse` reads the notation that the room's docstring tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from kaguan.apdu.errors import InputError
from kaguan.apdu.instruction import GET_RESPONSE, INSTRUCTIONS

GREATEST_DELAY_SECONDS = 3600.0
_NAMES = frozenset(row.name for row in (*INSTRUCTIONS, GET_RESPONSE))


class FaultError(InputError):
    """A fault that is not written as it should be, or that this card cannot have."""


class FaultKind(StrEnum):
    """What goes wrong."""

    TEAR = "tear"
    MUTE = "mute"
    LOSE = "lose"
    REMOVE = "remove"
    GARBLE = "garble"
    STATUS = "sw"
    LATE = "late"
    WORN = "worn"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. When it strikes: at the command of this number or name (the `number`-th of that name), else each time,
    with this probability. `value` is what its kind says: writes, bits, a status word, seconds, a place."""

    kind: FaultKind
    value: str = ""
    number: int = 0
    name: str = ""
    probability: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that is written so.

        Raises:
            FaultError: it is written in any other way.
        """
        head, _, value = text.partition(":")
        word, at, when = head.partition("@")
        kind = next((kind for kind in FaultKind if kind == word.strip()), None)
        if kind is None:
            raise FaultError(f"fault {text!r}: {word!r} is none of {', '.join(FaultKind)}")
        if at and kind is FaultKind.WORN:
            raise FaultError(f"fault {text!r}: what is worn out is always worn out: write {kind}:PLACE")
        fault = cls(kind, value.strip(), *_moment(text, when.strip()) if at else ())
        fault.checked(text)
        return fault

    @property
    def once(self) -> bool:
        """It strikes one command alone."""
        return bool(self.number)

    @property
    def seconds(self) -> float:
        """For `late`: how late."""
        return float(self.value or "1")

    @property
    def bits(self) -> int:
        """For `garble`: how many bits."""
        return int(self.value or "1")

    @property
    def status(self) -> bytes:
        """For `sw`: the status word."""
        return bytes.fromhex(self.value or "6F00")

    @property
    def writes(self) -> int | None:
        """For `tear`: how many physical writes the power lasts for, None for any number."""
        return int(self.value) if self.value else None

    def checked(self, text: str) -> None:
        """The value is one that its kind can have.

        Raises:
            FaultError: it is not.
        """
        try:
            good = _VALUE_IS_GOOD[self.kind](self)
        except ValueError:
            good = False
        if not good:
            raise FaultError(f"fault {text!r}: {self.value!r} is not what {self.kind} takes: {_WANTED[self.kind]}")

    def __str__(self) -> str:
        when = self.name + (f"#{self.number}" if self.name and self.number > 1 else "")
        when = when or (str(self.number) if self.number else "")
        if self.probability < 1:
            when = f"{self.probability * 100:g}%"
        return self.kind + (f"@{when}" if when else "") + (f":{self.value}" if self.value else "")


_VALUE_IS_GOOD: Mapping[FaultKind, Callable[[Fault], bool]] = {
    FaultKind.TEAR: lambda fault: fault.writes is None or fault.writes >= 0,
    FaultKind.MUTE: lambda fault: not fault.value,
    FaultKind.LOSE: lambda fault: not fault.value,
    FaultKind.REMOVE: lambda fault: not fault.value,
    FaultKind.GARBLE: lambda fault: fault.bits > 0,
    FaultKind.STATUS: lambda fault: len(fault.status) == 2,
    FaultKind.LATE: lambda fault: 0 <= fault.seconds <= GREATEST_DELAY_SECONDS,
    FaultKind.WORN: lambda fault: bool(fault.value),
}
_WANTED = {
    FaultKind.TEAR: "a number of physical writes, or nothing",
    FaultKind.MUTE: "nothing",
    FaultKind.LOSE: "nothing",
    FaultKind.REMOVE: "nothing",
    FaultKind.GARBLE: "a number of bits",
    FaultKind.STATUS: "a status word of 4 hex digits",
    FaultKind.LATE: f"seconds, at most {GREATEST_DELAY_SECONDS:g}",
    FaultKind.WORN: "a file (DF04/EF08), an application (DF04), or * for the whole memory",
}


def _moment(text: str, when: str) -> tuple[int, str, float]:
    """Number, name and probability."""
    if when.endswith("%"):
        try:
            percent = float(when[:-1])
        except ValueError:
            percent = -1.0
        if not 0 < percent <= 100:
            raise FaultError(f"fault {text!r}: {when} is no probability")
        return 0, "", percent / 100
    if when.isdecimal() and int(when):
        return int(when), "", 1.0
    name, _, count = when.partition("#")
    if name.upper() not in {known.upper() for known in _NAMES}:
        raise FaultError(f"fault {text!r}: {name!r} is no command's name, no number and no percentage")
    if count and not (count.isdecimal() and int(count)):
        raise FaultError(f"fault {text!r}: {count!r} is no count")
    return int(count or "1"), next(known for known in _NAMES if known.upper() == name.upper()), 1.0
