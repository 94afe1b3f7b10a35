"""Orders that are late: not all of their cards are where their holders collect them, and the day has passed."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from kaguan.cms.models import Card
from kaguan.cms.rules.deadlines import STILL_AWAITED
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import question


@dataclass(frozen=True, slots=True)
class OverdueOrder:
    """An order, how soon it was wanted, by when (ISO 8601), and how many of its cards are still awaited."""

    order_no: str
    urgency: str
    due_at: str
    cards_awaited: int


@question("list overdue orders", Right.LOOK)
def overdue_orders(case: Case, /) -> list[OverdueOrder]:
    """Return every late order with cards of the actor's regions, the one that is late for longest first."""
    late = Card.objects.filter(
        region__in=case.regions, production__in=STILL_AWAITED, order__deadline__due_at__lte=case.at
    ).exclude(application=Application.CANCELLED)
    orders = late.values("order", "order__deadline__urgency", "order__deadline__due_at").annotate(cards=Count("pk"))
    return [
        OverdueOrder(
            order["order"],
            order["order__deadline__urgency"],
            order["order__deadline__due_at"].isoformat(timespec="seconds"),
            order["cards"],
        )
        for order in orders.order_by("order__deadline__due_at", "order")
    ]
