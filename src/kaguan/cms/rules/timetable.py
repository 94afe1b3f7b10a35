"""What time alone does to cards, as a table: each rule is due so many days after something.

The days come from the region's settings; None there means that the region has no such rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.regions import RegionRules


class TimeRule(StrEnum):
    """The names of the rules that end or change something; the order is that of a day's run."""

    EXPIRE = "validity ends"
    LAPSE = "temporary loss lapses"
    BECOME_FORMAL = "temporary loss becomes formal"
    MATURE = "formal loss ends the card"
    SEAL = "uncollected card is sealed"
    REMIND = "activation reminder"
    OVERDUE = "activation overdue"
    TEMPORARY_CARD = "temporary card ends"


@dataclass(frozen=True, slots=True)
class CardRule:
    """When which event of the application axis happens by itself; an empty `event` changes nothing and reminds.

    It is due `days` after the newest event of `since`, for cards in one of `states`, of `production` when given.
    """

    name: TimeRule
    event: str
    states: frozenset[Application]
    since: frozenset[str]
    days: Callable[[RegionRules], int | None]
    production: frozenset[Production] = frozenset(Production)


def _lapses(region: RegionRules) -> int | None:
    return None if region.temporary_loss_becomes_formal else region.temporary_loss_days


def _becomes_formal(region: RegionRules) -> int | None:
    return region.temporary_loss_days if region.temporary_loss_becomes_formal else None


_IN_STOCK: Final = frozenset({Production.AT_OUTLET, Production.UNDELIVERABLE})
_WITH_HOLDER: Final = frozenset({Production.HANDED_OVER})
_NOT_ENABLED: Final = frozenset({Application.NOT_ENABLED})
_TEMPORARY_LOSS: Final = frozenset({Application.TEMPORARY_LOSS})

CARD_RULES: Final = (
    CardRule(TimeRule.LAPSE, "lapse", _TEMPORARY_LOSS, frozenset({"report_temporary_loss"}), _lapses),
    CardRule(
        TimeRule.BECOME_FORMAL, "become_formal", _TEMPORARY_LOSS, frozenset({"report_temporary_loss"}), _becomes_formal
    ),
    CardRule(
        TimeRule.MATURE,
        "mature",
        frozenset({Application.FORMAL_LOSS}),
        frozenset({"report_formal_loss", "become_formal"}),
        lambda region: region.formal_loss_cancels_after_days,
    ),
    CardRule(
        TimeRule.SEAL,
        "seal_uncollected",
        _NOT_ENABLED,
        frozenset({"receive"}),
        lambda region: region.uncollected_days,
        _IN_STOCK,
    ),
    CardRule(
        TimeRule.REMIND,
        "",
        _NOT_ENABLED,
        frozenset({"hand_over"}),
        lambda region: region.activation_reminder_days,
        _WITH_HOLDER,
    ),
    CardRule(
        TimeRule.OVERDUE,
        "",
        _NOT_ENABLED,
        frozenset({"hand_over"}),
        lambda region: region.activation_overdue_days,
        _WITH_HOLDER,
    ),
)
"""The rules that count from an event; the end of validity counts from the card's own last day."""

CARD_RULE_OF: Final = MappingProxyType({rule.name: rule for rule in CARD_RULES})
