"""Region files that come with Kaguan: the country, Shandong with Qingdao, and a sample province of two cities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from kaguan.cms.rules.layers import line_of
from kaguan.cms.rules.regionfile import RegionFile, check_files, parse_region


@cache
def shipped_regions() -> Mapping[str, RegionFile]:
    """Return the files by their regions' codes.

    Raises:
        RuleTableError: one of them is unsound, or they do not hold together.
    """
    folder = files("kaguan.cms.regions")
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    parsed = [parse_region(one.read_text(encoding="utf-8"), file=one.name) for one in found]
    check_files(parsed)
    return MappingProxyType({one.code: one for one in parsed})


def shipped_line(code: str) -> tuple[RegionFile, ...]:
    """Return what is shipped of the region and of those above it, the country first; perhaps the country alone."""
    regions = shipped_regions()
    return tuple(regions[place] for place in line_of(code) if place in regions)
