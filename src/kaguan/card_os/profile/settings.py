"""A profile's settings by their dotted names, each of which `[confidence]` gives a mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MARKED_TABLES = ("answer_to_reset", "behaviour", "security", "personalization", "defaults")


def settings_of(top: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every setting of the profile with its value, those in tables inside tables too: `behaviour.medical.mac1`."""
    for name in MARKED_TABLES:
        yield from _flat(name, top.get(name, {}))


def _flat(place: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{place}.{name}", value)
        else:
            yield f"{place}.{name}", value
