"""By when a card has to be made: so many working days after the order, or while the holder waits."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.choices import DayCount
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.regions import RegionRules
from kaguan.cms.rules.workdays import day_after


class Urgency(StrEnum):
    """How soon a card is wanted."""

    NORMAL = "normal"
    URGENT = "urgent"
    INSTANT = "instant"


def due_at(rules: RegionRules, urgency: Urgency, ordered_at: datetime) -> datetime:
    """Return when the order is late: with the end of its last working day, or when the instant's minutes are over.

    `ordered_at` is in the local time by which working days are counted; so is what is returned.
    """
    if urgency is Urgency.INSTANT:
        return ordered_at + timedelta(minutes=rules.instant_minutes)
    days = rules.urgent_lead_working_days if urgency is Urgency.URGENT else rules.lead_working_days
    last_day = day_after(ordered_at.date(), days, DayCount.WORKING, rules)
    return datetime.combine(last_day + timedelta(days=1), time(), ordered_at.tzinfo)


STILL_AWAITED: Final = frozenset(
    {
        Production.ORDERED,
        Production.BATCHED,
        Production.BATCH_FAILED,
        Production.SENT_TO_BANK,
        Production.ACCOUNT_OPENED,
        Production.BANK_EXPORT_FAILED,
        Production.ACCOUNT_FAILED,
        Production.SENT_TO_BUREAU,
        Production.BUREAU_EXPORT_FAILED,
        Production.MAKE_FAILED,
        Production.MADE,
        Production.RETURNED,
        Production.SHIPPING_FAILED,
    }
)
"""Where a card is ordered and not at its outlet yet."""
