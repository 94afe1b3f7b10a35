"""A card that no reader can read: it is registered, and what its purse holds waits for the region's days."""

from __future__ import annotations

from kaguan.cms.rules.lifecycle import LOST_OR_ENDED
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.chip.cases import tell_of_chip
from kaguan.cms.services.chip.waiting import UNREADABLE, has_event
from kaguan.cms.services.use_case import use_case


@use_case("register unreadable card", Right.REPLACE, CardState)
def register_unreadable(case: Case, /, *, card_no: str, why: str) -> CardState:
    """Leave on record that the ended card was brought back and cannot be read, and why; the days count from now on.

    Refuses, in this order: no such card, own card, still in use, blocked in a reader, registered already, no reason.
    """
    card = case.card(card_no)
    if card.application not in LOST_OR_ENDED:
        raise NotEligible("the card is still in use: exchange it first, then register that it cannot be read")
    if card.chip_blocked_at is not None:
        raise NotEligible("the chip was read and blocked in a reader: its purse can be carried over now")
    if has_event(card, UNREADABLE):
        raise DuplicateRequest(f"card {card_no} is registered as unreadable already")
    if not why.strip():
        raise NotEligible("say what was tried, and how the card is damaged")
    tell_of_chip(case, card, UNREADABLE, why=why[:200])
    case.note(why=why)
    return state_of(card)
