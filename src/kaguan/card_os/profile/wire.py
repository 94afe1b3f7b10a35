"""What a card makes of lengths and class bytes beyond those of its commands. No public text fixes any of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Wire(NamedTuple):
    """`extended_length`: commands with three-byte Lc and Le are served, otherwise 6700; the others are status words."""

    extended_length: bool = True
    channel: int = 0x6881
    chaining: int = 0x6884
    messaging: int = 0x6882


def parse_wire(table: Mapping[str, Any]) -> Wire:
    """The settings that this part of a profile gives, the rest at their defaults; status words are hex.

    Raises:
        ValueError: an unknown name, or no hex.
    """
    unknown = table.keys() - Wire._field_defaults.keys()
    if unknown:
        raise ValueError(f"behaviour.wire has no setting '{min(unknown)}'")
    words = {name: int(value, 16) for name, value in table.items() if name != "extended_length"}
    return Wire(bool(table.get("extended_length", True)), **words)
