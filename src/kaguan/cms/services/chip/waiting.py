"""When the purse of a card that was replaced may be paid out: the three ways of a wallet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.choices import PurseWait
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.services.chip.cases import check_explained

UNREADABLE: Final = "register_unreadable"
_LOST: Final = "report_formal_loss"


def check_purse_free(card: Card, at: datetime) -> None:
    """Return when what the replaced card's purse holds in the books may be paid out.

    A chip that was blocked in a reader has told its balance before. One that nobody can read is waited for so many
    days after it was registered, a lost one as the region's `purse_wait` says.
    Refuses, in this order: NotEligible too early, NeedsReconciliation the chip showed another balance than the books.
    """
    rules = card.region.rules()
    days = timedelta(days=rules.purse_wait_days)
    blocked = card.chip_blocked_at is not None
    unreadable, lost = _last(card, UNREADABLE), _last(card, _LOST)
    waited = lost is not None and at >= lost + days
    free = {
        PurseWait.BLOCKED: blocked,
        PurseWait.DAYS: waited or (blocked and lost is None),
        PurseWait.EITHER: blocked or waited,
    }[rules.purse_wait]
    if not free and (unreadable is None or at < unreadable + days):
        raise NotEligible(_too_early(card, rules.purse_wait, rules.purse_wait_days))
    check_explained(card, Facet.PURSE)


def has_event(card: Card, event: str) -> bool:
    """Return whether the card's life has such an event."""
    return CardEvent.objects.filter(card=card, event=event).exists()


def _last(card: Card, event: str) -> datetime | None:
    return CardEvent.objects.filter(card=card, event=event).order_by("id").values_list("at", flat=True).last()


def _too_early(card: Card, wait: PurseWait, days: int) -> str:
    if wait is PurseWait.BLOCKED:
        return (
            f"the chip of card {card.card_no} is not blocked: bring it to a reader; "
            f"one that cannot be read is registered, and its purse can be carried over {days} days later"
        )
    if wait is PurseWait.DAYS:
        return f"the purse of card {card.card_no} can be carried over {days} days after the loss"
    return f"the chip of card {card.card_no} is not blocked: its purse can be carried over {days} days after the loss"
