"""Which cards terminals have to refuse without asking anybody, and why."""

from __future__ import annotations

from typing import Final

from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.terms import BlacklistCause

_CAUSE_OF: Final = {
    Application.TEMPORARY_LOSS: BlacklistCause.TEMPORARY_LOSS,
    Application.FORMAL_LOSS: BlacklistCause.FORMAL_LOSS,
    Application.LOCKED: BlacklistCause.LOCKED,
    Application.CANCELLED: BlacklistCause.CANCELLED,
}


def listed_for(application: str, reason: str = "") -> BlacklistCause | None:
    """Return why a card in this state, which it came to for this reason, is on the blacklist; None when it is not."""
    if application == Application.CANCELLED and reason == CancelReason.DEATH:
        return BlacklistCause.DEATH
    return _CAUSE_OF.get(Application(application))
