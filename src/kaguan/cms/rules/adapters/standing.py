"""Where a card stands, in one word: neighbours have one list for what are two axes here."""

from __future__ import annotations

from enum import StrEnum

from kaguan.cms.rules.lifecycle import Application, CancelReason, Production
from kaguan.cms.rules.production import IN_REQUEST
from kaguan.cms.rules.refusals import Inexpressible


class Standing(StrEnum):
    """Production and application of a card together, with the one reason that others tell apart."""

    NUMBER_RELEASED = "number released"
    NOT_ENABLED = "not enabled"
    NORMAL = "normal"
    TEMPORARY_LOSS = "temporary loss"
    FORMAL_LOSS = "formal loss"
    LOCKED = "locked"
    SEALED = "sealed"
    CANCELLED_AFTER_LOSS = "cancelled after loss"
    CANCELLED = "cancelled"


UNMADE = frozenset(
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
        Production.SHIPPING_FAILED,
        Production.SCRAPPED,
    }
)
"""States of production in which there is a card number and no card, or none any more."""

MADE = frozenset(
    {
        Production.MADE,
        Production.RETURNED,
        Production.AT_OUTLET,
        Production.UNDELIVERABLE,
        Production.HANDED_OVER,
        Production.RECOVERED,
    }
)
"""States of production in which there is a card."""


def standing(production: Production, application: Application, reason: CancelReason | None = None) -> Standing:
    """Return where a card stands; `reason` is why it was cancelled, when it was.

    Refuses with Inexpressible a request, which has no number yet.
    """
    if production in IN_REQUEST:
        raise Inexpressible(f"a request for a card stands nowhere ({production.name}): it has no number yet")
    if application is Application.CANCELLED:
        return Standing.CANCELLED_AFTER_LOSS if reason is CancelReason.LOST else Standing.CANCELLED
    if application is Application.NOT_ENABLED and production in UNMADE:
        return Standing.NUMBER_RELEASED
    return Standing[application.name]
