"""A region's rules on a day: country, province and city, each as far as it is in force, laid over the defaults.

Law. The nearer wins: what a city says stands over its province, what a province says over the country, whenever said.
Law. The newer wins: of one region's versions in force the latest that names a setting decides it.
Law. A day's rules do not depend on versions that come into force later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.rules.regions import SETTINGS, RegionRules, read_region

COUNTRY: Final = "000000"
SINCE_EVER: Final = date(1999, 1, 1)
"""From when on rules hold that nobody dated: no social security card is older."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one region says from a day on: settings as JSON holds them, and by name how sure they are.

    `inherits` names settings that the region leaves to those above it again. A setting without a mark of certainty is
    the region's own word.
    """

    code: str
    valid_from: date
    settings: Mapping[str, object]
    confidence: Mapping[str, str] = field(default_factory=dict)
    inherits: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from; without a code it is the program's default."""

    code: str
    valid_from: date | None
    confidence: str


@dataclass(frozen=True, slots=True)
class RulesOfDay:
    """The rules, and by name where each comes from."""

    rules: RegionRules
    origins: Mapping[str, Origin]


def check_code(code: str) -> None:
    """Return when the code has the form of GB/T 2260; refuse with RuleTableError otherwise."""
    if len(code) != 6 or not (code.isascii() and code.isdigit()):
        raise RuleTableError(f"{code!r} is no region code: write six digits such as 370200")


def line_of(code: str) -> tuple[str, ...]:
    """Return the codes from the country down to this one: a province ends in 0000, all else lies in a province.

    Raises:
        RuleTableError: not six digits.
    """
    check_code(code)
    line = (COUNTRY, code[:2] + "0000", code)
    return tuple(dict.fromkeys(line))


def parent_of(code: str) -> str:
    """Return the code of the region above; empty for the country."""
    return ("", *line_of(code))[-2]


def resolve(code: str, layers: Iterable[Layer], on: date) -> RulesOfDay:
    """Return the region's rules on that day; layers of other regions and of later days do not matter.

    Of two layers of one region and day the later in the iterable is the newer.

    Raises:
        RuleTableError: a layer holds what no setting takes, or the values do not fit together.
    """
    found: dict[str, tuple[object, Origin]] = {}
    in_force = sorted((layer for layer in layers if layer.valid_from <= on), key=lambda layer: layer.valid_from)
    for place in line_of(code):
        own: dict[str, tuple[object, Origin]] = {}
        for layer in in_force:
            if layer.code == place:
                _lay_over(own, layer)
        found |= own
    settings = {"name": f"region {code}"} | {name: value for name, (value, _) in found.items()}
    origins = {name: Origin("", None, one.confidence) for name, one in SETTINGS.items()}
    origins |= {name: origin for name, (_, origin) in found.items()}
    return RulesOfDay(read_region(settings), MappingProxyType(origins))


def check_days(code: str, layers: Sequence[Layer]) -> None:
    """Return when the region has sound rules on every day; refuse with RuleTableError, naming the first other."""
    for day in sorted({layer.valid_from for layer in layers}):
        try:
            resolve(code, layers, day)
        except RuleTableError as error:
            raise RuleTableError(f"region {code} on {day}: {error}") from None


def _lay_over(own: dict[str, tuple[object, Origin]], layer: Layer) -> None:
    for name, value in layer.settings.items():
        own[name] = (value, Origin(layer.code, layer.valid_from, layer.confidence.get(name, "")))
    for name in layer.inherits:
        own.pop(name, None)
