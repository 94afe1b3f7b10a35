"""Lock and unlock a card, seal one that nobody collects, and end one."""

from __future__ import annotations

from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, BankFunction, CancelReason, LockReason
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case


@use_case("lock", Right.LOCK, CardState)
def lock(case: Case, /, *, card_no: str, reason: LockReason) -> CardState:
    """Leave the card unusable until it is unlocked."""
    card = case.card(card_no)
    case.step(card, APPLICATION, "lock", case.circumstances(card), reason=reason)
    return state_of(card)


@use_case("unlock", Right.LOCK, CardState)
def unlock(case: Case, /, *, card_no: str) -> CardState:
    """Leave the locked card in normal use again."""
    card = case.card(card_no)
    case.check_alone(Action.UNLOCK)
    case.step(card, APPLICATION, "unlock", case.circumstances(card))
    return state_of(card)


@use_case("seal", Right.CANCEL, CardState)
def seal(case: Case, /, *, card_no: str) -> CardState:
    """Leave a card that was not collected in time sealed: its holder applies again.

    Refuses, in this order: no such card, own card, state, handed over.
    """
    card = case.card(card_no)
    case.step(card, APPLICATION, "seal", case.circumstances(card))
    return state_of(card)


@use_case("cancel", Right.CANCEL, CardState)
def cancel(case: Case, /, *, card_no: str, reason: CancelReason) -> CardState:
    """Leave the card ended for good, its bank function closed."""
    card = case.card(card_no)
    case.check_alone(Action.CANCEL)
    circumstances = case.circumstances(card)
    case.step(card, APPLICATION, "cancel", circumstances, reason=reason)
    if card.bank_function != BankFunction.CLOSED:
        case.step(card, BANK_FUNCTION, "close", circumstances)
    return state_of(card)
