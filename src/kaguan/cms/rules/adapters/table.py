"""A table of somebody else's codes for meanings of ours.

Law. Reading what was written gives the meaning back.
Law. What a table cannot express is refused by name and never becomes something near it: neither a meaning of ours that
they have no code for, nor a code of theirs that we have no meaning for.
Law. A table with doubles or with meanings that are none of its own is refused when it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Generic, TypeVar

from kaguan.cms.rules.refusals import Inexpressible, RuleTableError

M = TypeVar("M", bound=Enum)


@dataclass(frozen=True, slots=True)
class Row(Generic[M]):
    """One code of theirs; without a meaning of ours it can be neither read nor written.

    A row that is `read_only` is a second word for its meaning: it is understood and never sent.
    """

    code: str
    title: str
    meaning: M | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class CodeTable(Generic[M]):
    """One list of codes of one dialect.

    `meanings` are all of ours that the list is about, `inexpressible` those that they have no code for, with the
    reason. A meaning in neither is refused too when it is asked for; `unlisted` names those.
    """

    dialect: str
    name: str
    title: str
    meanings: tuple[M, ...]
    rows: tuple[Row[M], ...]
    inexpressible: Mapping[M, str] = field(default_factory=dict)
    _written: Mapping[tuple[str, str], str] = field(init=False, repr=False, compare=False)
    _read: Mapping[str, Row[M]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse an unsound table, and look its rows up both ways from now on."""
        written: dict[tuple[str, str], str] = {}
        read: dict[str, Row[M]] = {}
        known = {_key(meaning) for meaning in self.meanings}
        for row in self.rows:
            if row.code in read:
                raise RuleTableError(f"{self}: code {row.code!r} stands there twice")
            read[row.code] = row
            if row.meaning is None:
                continue
            key = _key(row.meaning)
            if key not in known:
                raise RuleTableError(f"{self}: code {row.code!r} means {row.meaning!r}, which is none of its meanings")
            if not row.read_only and key in written:
                raise RuleTableError(f"{self}: {row.meaning.name} is {written[key]!r} and {row.code!r}: which is sent?")
            if not row.read_only:
                written[key] = row.code
        for meaning in self.inexpressible:
            if _key(meaning) not in known:
                raise RuleTableError(f"{self}: {meaning!r} cannot be expressed, and is none of its meanings")
            if _key(meaning) in written:
                raise RuleTableError(f"{self}: {meaning.name} cannot be expressed, and is {written[_key(meaning)]!r}")
        object.__setattr__(self, "_written", MappingProxyType(written))
        object.__setattr__(self, "_read", MappingProxyType(read))

    def __str__(self) -> str:
        """Return dialect and list."""
        return f"{self.dialect} {self.name}"

    def encode(self, meaning: M) -> str:
        """Return their code; refuse with Inexpressible when they have none."""
        code = self._written.get(_key(meaning))
        if code is not None:
            return code
        reasons = {_key(one): reason for one, reason in self.inexpressible.items()}
        because = reasons.get(_key(meaning), "no code is known for it")
        raise Inexpressible(f"{self} has no code for {meaning.name}: {because}")

    def decode(self, code: str) -> M:
        """Return our meaning; refuse with Inexpressible when the code is none, or is nothing of ours."""
        row = self._read.get(code)
        if row is None:
            known = ", ".join(self._read)
            raise Inexpressible(f"{self} has no code {code!r}: it has {known}")
        if row.meaning is None:
            raise Inexpressible(f"{self} {code!r} is {row.title}, which is nothing of ours")
        return row.meaning

    def unlisted(self) -> tuple[M, ...]:
        """Return the meanings that are neither in a row nor said to be inexpressible."""
        said = {_key(meaning) for meaning in self.inexpressible} | self._written.keys()
        return tuple(meaning for meaning in self.meanings if _key(meaning) not in said)


def missing(meanings: Iterable[M], because: str) -> dict[M, str]:
    """Return all these meanings as inexpressible for one reason."""
    return dict.fromkeys(meanings, because)


def _key(meaning: Enum) -> tuple[str, str]:
    # Text enumerations with equal values are equal: only with its type a meaning is itself.
    return (type(meaning).__name__, meaning.name)
