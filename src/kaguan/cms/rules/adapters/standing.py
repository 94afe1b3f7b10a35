"""Where a card stands, in one word: neighbours have one list for what are two axes here."""

from __future__ import annotations

from enum import StrEnum

from kaguan.cms.rules.lifecycle import Application, CancelReason, Production
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


UNMADE = frozenset({Production.ORDERED, Production.MAKE_FAILED})
"""States of production in which there is a card number and no card."""

MADE = frozenset({Production.AT_OUTLET, Production.HANDED_OVER, Production.RECOVERED})
"""States of production in which there is a card."""


def standing(production: Production, application: Application, reason: CancelReason | None = None) -> Standing:
    """Return where a card stands; `reason` is why it was cancelled, when it was.

    Refuses with Inexpressible when nobody has said whether there is a card in that state of production.
    """
    if application is Application.CANCELLED:
        return Standing.CANCELLED_AFTER_LOSS if reason is CancelReason.LOST else Standing.CANCELLED
    if application is not Application.NOT_ENABLED or production in MADE:
        return Standing[application.name]
    if production in UNMADE:
        return Standing.NUMBER_RELEASED
    raise Inexpressible(
        f"whether a card is made in the state {production.name} is not said: put it into MADE or UNMADE"
    )
