"""The security module (PSAM): how its keys are addressed, and what of it a site may set.

A key is named by a usage byte and an identifier, which for purchase keys is the version that the user card answers. The
usage byte's top three bits say how many levels the key still has above a card's key, its low five what the key is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kaguan.apdu.errors import ProfileError

PURCHASE_TYPE = 0x02
UNDELEGATED = frozenset({0x00, 0x01, PURCHASE_TYPE})
"""Types that are never lent for free use: master, maintenance and purchase keys."""

MOST_TRIES = 15

_KNOWN_USAGES = (0x67, 0x48, 0x47, 0x28, 0x27)


class ModuleAddress(NamedTuple):
    """Where a security module keeps a key. `usage` is None where only the identifier is known."""

    usage: int | None
    key: int

    @classmethod
    def parse(cls, text: str) -> ModuleAddress:
        """The address written `48/12`, or `0A` without a usage.

        Raises:
            ProfileError: neither of them.
        """
        usage, slash, key = text.rpartition("/")
        try:
            numbers = bytes.fromhex(usage), bytes.fromhex(key)
        except ValueError:
            numbers = b"", b""
        if (len(numbers[0]), len(numbers[1])) != (len(slash), 1):
            raise ProfileError(f"'{text}' is no address in a security module: write usage/key, as in 48/12")
        return cls(numbers[0][0] if slash else None, numbers[1][0])

    @property
    def candidates(self) -> Iterator[tuple[int, int]]:
        """Usage and levels with which modules may hold the key: as addressed, then nearer to the card.

        A city's module holds with one level what a province's holds with two.
        """
        usages = _KNOWN_USAGES if self.usage is None else (self.usage,)
        for usage in usages:
            yield usage, levels_of(usage)
        if self.usage is not None:
            for levels in range(levels_of(self.usage) - 1, 0, -1):
                yield levels << 5 | type_of(self.usage), levels


def levels_of(usage: int) -> int:
    """How many diversifications the key is away from the card's key."""
    return usage >> 5


def type_of(usage: int) -> int:
    """What the key is for."""
    return usage & 0x1F


class ModuleRules(NamedTuple):
    """What public evidence leaves open about a security module."""

    enciphers: frozenset[int] = frozenset({0x07, 0x08})
    """Key types that encipher."""

    authenticates: frozenset[int] = frozenset({0x03, 0x04, 0x05, 0x06, 0x08})
    """Key types that make MACs."""

    answers_next_number: bool = False
    """INITIALIZE answers the transaction number after the increment; otherwise the one that was stored."""

    wrong_mac2_ends: bool = True
    """The last wrong MAC2 in a row blocks the application for ever; otherwise wrong ones are not counted."""

    mac2_tries: int = 3
    """How many wrong MAC2s in a row end a key that WRITE KEY brought."""


def parse_module_rules(table: Mapping[str, Any]) -> ModuleRules:
    """The rules in this table.

    Raises:
        ProfileError: an unknown setting, or a type that must not be lent.
    """
    for name in table:
        if name not in ModuleRules._fields:
            raise ProfileError(f"module has no setting '{name}': it has {', '.join(ModuleRules._fields)}")
    default = ModuleRules()
    lent = {name: frozenset(table.get(name, getattr(default, name))) for name in ("enciphers", "authenticates")}
    for name, types in lent.items():
        if types & UNDELEGATED or not types <= set(range(0x20)):
            raise ProfileError(f"module.{name}: key types 03 to 1F may be lent, no others")
    mac2_tries = int(table.get("mac2_tries", default.mac2_tries))
    if not 1 <= mac2_tries <= MOST_TRIES:
        raise ProfileError(f"module.mac2_tries is 1 to {MOST_TRIES}")
    return ModuleRules(
        enciphers=lent["enciphers"],
        authenticates=lent["authenticates"],
        answers_next_number=bool(table.get("answers_next_number", default.answers_next_number)),
        wrong_mac2_ends=bool(table.get("wrong_mac2_ends", default.wrong_mac2_ends)),
        mac2_tries=mac2_tries,
    )
