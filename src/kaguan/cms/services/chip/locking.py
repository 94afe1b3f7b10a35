"""The medical application in the chip: locked and unlocked with the card in a reader, the books first."""

from __future__ import annotations

from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.lifecycle import APPLICATION, Application, LockReason
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.chip.books import CHIP_LOCKED, CHIP_UNLOCKED, chip_is_locked
from kaguan.cms.services.chip.cases import begin_step, end_step, tell_of_chip
from kaguan.cms.services.lock import lock_card, unlock_card
from kaguan.cms.services.use_case import use_case


@use_case("begin chip lock", Right.LOCK, CardState)
def begin_chip_lock(case: Case, /, *, card_no: str, reason: LockReason) -> CardState:
    """Leave the card locked in the books, and on record that its chip is being locked; one locked before stays so.

    Refuses as `services.lock.lock`, and when the chip is locked already.
    """
    card = case.card(card_no)
    if card.application != Application.LOCKED:
        lock_card(case, card, reason)
    elif chip_is_locked(card):
        raise NotEligible(f"the chip of card {card_no} is locked already")
    begin_step(case, card, Facet.LOCK_STEP, "lock chip")
    return state_of(card)


@use_case("begin chip unlock", Right.LOCK, CardState)
def begin_chip_unlock(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip is being unlocked; the books follow when it has answered.

    A chip that the books have unlocked without a reader is owed it.
    Refuses, in this order: no such card, own card, neither locked nor owed it, needs a second person.
    """
    card = case.card(card_no)
    if card.application != Application.NORMAL or not chip_is_locked(card):
        case.check_alone(Action.UNLOCK)
        APPLICATION.find(card.application, "unlock")
    begin_step(case, card, Facet.LOCK_STEP, "unlock chip")
    return state_of(card)


@use_case("end chip lock", Right.LOCK, CardState)
def end_chip_lock(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip is locked. Refuses with NotFound, own card."""
    card = case.card(card_no)
    tell_of_chip(case, card, CHIP_LOCKED)
    end_step(case, card, Facet.LOCK_STEP, "it is locked")
    return state_of(card)


@use_case("end chip unlock", Right.LOCK, CardState)
def end_chip_unlock(case: Case, /, *, card_no: str) -> CardState:
    """Leave chip and card in normal use again. Refuses as `services.lock.unlock` where the card is still locked."""
    card = case.card(card_no)
    tell_of_chip(case, card, CHIP_UNLOCKED)
    end_step(case, card, Facet.LOCK_STEP, "it is unlocked")
    if card.application == Application.LOCKED:
        unlock_card(case, card)
    return state_of(card)
