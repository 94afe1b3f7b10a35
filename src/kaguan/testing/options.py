"""What the configuration, the command line and a test's marker want."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kaguan.testing.backend import Backend
from kaguan.testing.build import Slot, Wish

FIRST_VIRTUAL_READER = "Virtual PCD 00 00"
"""As Debian's vpcd names it; its second is \"Virtual PCD 00 01\", so that a part of the name is not enough."""


def wish_of(node: pytest.Item | pytest.Collector) -> Wish:
    """The card that the test's marker and the configuration want."""
    marker = node.get_closest_marker("card")
    words: dict[str, Any] = dict(marker.kwargs) if marker else {}
    strange = words.keys() - {"profile", "image", "faults", "random"}
    if strange or (marker and marker.args):
        raise pytest.UsageError(f"{node.nodeid}: the marker card takes profile, image, faults and random, by name")
    return Wish(
        profile=words.get("profile", node.config.getini("card_profile")),
        image=Path(words["image"]) if "image" in words else None,
        faults=tuple(words.get("faults", ())),
        numbers=tuple(words.get("random", ())),
        seed=node.nodeid,
    )


def slot_of(config: pytest.Config) -> Slot:
    """Where cards are put in this run."""
    backend = Backend(config.getoption("--card-backend"))
    return Slot(
        backend,
        config.getoption("--card-reader") or (FIRST_VIRTUAL_READER if backend is Backend.VPCD else "0"),
        config.getoption("--card-host"),
        config.getoption("--card-port"),
    )
