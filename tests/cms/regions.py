"""Region files that come with Kaguan, as tests ask them."""

from __future__ import annotations

from datetime import date

from kaguan.cms.regions.shipped import shipped_regions
from kaguan.cms.rules.layers import Layer, RulesOfDay, resolve
from kaguan.cms.rules.regions import RegionRules

TODAY = date(2026, 1, 5)


def shipped_layers() -> list[Layer]:
    """Every version of every region that comes with Kaguan."""
    return [layer for one in shipped_regions().values() for layer in one.versions]


def day_of(code: str, on: date = TODAY) -> RulesOfDay:
    """The rules of a region that comes with Kaguan, with where each comes from."""
    return resolve(code, shipped_layers(), on)


def rules_of(code: str, on: date = TODAY) -> RegionRules:
    """The rules of a region that comes with Kaguan."""
    return day_of(code, on).rules
