"""What time alone does to cards, as a table: each rule is due so many days after something.

The days come from the region's settings; None there means that the region has no such rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.axis import Axis
from kaguan.cms.rules.choices import DayCount
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, Application, BankFunction
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.regions import RegionRules
from kaguan.cms.rules.workdays import day_after, days_between, last_start


class TimeRule(StrEnum):
    """The names of the rules that end or change something; the order is that of a day's run."""

    EXPIRE = "validity ends"
    LAPSE = "temporary loss lapses"
    BANK_LAPSE = "bank side's temporary loss lapses"
    BECOME_FORMAL = "temporary loss becomes formal"
    MATURE = "formal loss ends the card"
    SEAL = "uncollected card is sealed"
    REMIND = "activation reminder"
    OVERDUE = "activation overdue"
    TEMPORARY_CARD = "temporary card ends"


@dataclass(frozen=True, slots=True)
class Span:
    """So many days, natural or worked."""

    days: int
    counts: DayCount = DayCount.NATURAL


@dataclass(frozen=True, slots=True)
class Waited:
    """How much of a time rule's span was over: counted as the span counts; none is needed where there is no rule."""

    days_passed: int
    days_needed: int | None


@dataclass(frozen=True, slots=True)
class CardRule:
    """When which event happens by itself on an axis; an empty `event` changes nothing and reminds.

    It is due when the first of `spans` is over after the newest event of `since`, for cards in one of `states` of the
    axis, of `production` when given. A region without spans has no such rule.
    """

    name: TimeRule
    event: str
    states: frozenset[StrEnum]
    since: frozenset[str]
    spans: Callable[[RegionRules], tuple[Span, ...]]
    production: frozenset[Production] = frozenset(Production)
    axis: Axis = APPLICATION

    def last_start(self, end: date, region: RegionRules) -> date | None:
        """Return the latest day on which what is due by the end began; None when the region has no such rule."""
        return max((last_start(end, one.days, one.counts, region) for one in self.spans(region)), default=None)

    def waited(self, start: date, end: date, region: RegionRules) -> Waited:
        """Return how much is over of the span that is over first."""
        spans = self.spans(region)
        if not spans:
            return Waited(0, None)
        first = min(spans, key=lambda one: day_after(start, one.days, one.counts, region))
        return Waited(days_between(start, end, first.counts, region), first.days)


def _after(days: int | None) -> tuple[Span, ...]:
    return () if days is None else (Span(days),)


def _lapses(region: RegionRules) -> tuple[Span, ...]:
    """A report by phone holds for its days, and where it has to be confirmed in writing, for no longer than that."""
    if region.temporary_loss_becomes_formal:
        return ()
    written = region.written_loss_within_working_days
    confirmed = () if written is None else (Span(written, DayCount.WORKING),)
    return (Span(region.temporary_loss_days, region.temporary_loss_counts), *confirmed)


def _becomes_formal(region: RegionRules) -> tuple[Span, ...]:
    if not region.temporary_loss_becomes_formal:
        return ()
    return (Span(region.temporary_loss_days, region.temporary_loss_counts),)


_IN_STOCK: Final = frozenset({Production.AT_OUTLET, Production.UNDELIVERABLE})
_WITH_HOLDER: Final = frozenset({Production.HANDED_OVER})
_NOT_ENABLED: Final = frozenset({Application.NOT_ENABLED})
_TEMPORARY_LOSS: Final = frozenset({Application.TEMPORARY_LOSS})
_REPORTS: Final = frozenset({"report_temporary_loss", "report_own_loss"})

CARD_RULES: Final = (
    CardRule(TimeRule.LAPSE, "lapse", _TEMPORARY_LOSS, _REPORTS, _lapses),
    CardRule(TimeRule.BECOME_FORMAL, "become_formal", _TEMPORARY_LOSS, _REPORTS, _becomes_formal),
    CardRule(
        TimeRule.BANK_LAPSE,
        "lapse",
        frozenset({BankFunction.TEMPORARY_LOSS}),
        frozenset({"suspend_with_card", "suspend_with_own_report"}),
        lambda region: _after(region.bank_temporary_loss_days),
        axis=BANK_FUNCTION,
    ),
    CardRule(
        TimeRule.MATURE,
        "mature",
        frozenset({Application.FORMAL_LOSS}),
        frozenset({"report_formal_loss", "become_formal"}),
        lambda region: _after(region.formal_loss_cancels_after_days),
    ),
    CardRule(
        TimeRule.SEAL,
        "seal_uncollected",
        _NOT_ENABLED,
        frozenset({"receive"}),
        lambda region: _after(region.uncollected_days),
        _IN_STOCK,
    ),
    CardRule(
        TimeRule.REMIND,
        "",
        _NOT_ENABLED,
        frozenset({"hand_over"}),
        lambda region: _after(region.activation_reminder_days),
        _WITH_HOLDER,
    ),
    CardRule(
        TimeRule.OVERDUE,
        "",
        _NOT_ENABLED,
        frozenset({"hand_over"}),
        lambda region: _after(region.activation_overdue_days),
        _WITH_HOLDER,
    ),
)
"""The rules that count from an event; the end of validity counts from the card's own last day."""

CARD_RULE_OF: Final = MappingProxyType({rule.name: rule for rule in CARD_RULES})
