"""Lock and unlock a card, seal one that nobody collects, and end one."""

from __future__ import annotations

from collections.abc import Sequence

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.choices import Demand
from kaguan.cms.rules.demands import Met, check_met, open_demands
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, BankFunction, CancelReason, LockReason
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case


@use_case("lock", Right.LOCK, CardState)
def lock(case: Case, /, *, card_no: str, reason: LockReason) -> CardState:
    """Leave the card unusable until it is unlocked."""
    card = case.card(card_no)
    lock_card(case, card, reason)
    return state_of(card)


def lock_card(case: Case, card: Card, reason: LockReason) -> None:
    """Leave the card unusable until it is unlocked. Refuses for its state and the reason."""
    case.step(card, APPLICATION, "lock", case.circumstances(card), reason=reason)


@use_case("unlock", Right.LOCK, CardState)
def unlock(case: Case, /, *, card_no: str) -> CardState:
    """Leave the locked card in normal use again."""
    card = case.card(card_no)
    unlock_card(case, card)
    return state_of(card)


def unlock_card(case: Case, card: Card) -> None:
    """Leave the locked card in normal use again. Refuses, in this order: needs a second person, state."""
    case.check_alone(Action.UNLOCK)
    case.step(card, APPLICATION, "unlock", case.circumstances(card))


@use_case("seal", Right.CANCEL, CardState)
def seal(case: Case, /, *, card_no: str) -> CardState:
    """Leave a card that was not collected in time sealed: its holder applies again.

    Refuses, in this order: no such card, own card, state, handed over.
    """
    card = case.card(card_no)
    case.step(card, APPLICATION, "seal", case.circumstances(card))
    return state_of(card)


@use_case("cancel", Right.CANCEL, CardState)
def cancel(case: Case, /, *, card_no: str, reason: CancelReason, met: Sequence[Met] = ()) -> CardState:
    """Leave the card ended for good, its bank function closed; what the region demands stands with it (`met`).

    Refuses, in this order: no such card, own card, needs a second person, state, reason, evidence that is none, what
    the region demands for that reason and nobody met.
    """
    card = case.card(card_no)
    cancel_card(case, card, reason, met)
    return state_of(card)


def cancel_card(case: Case, card: Card, reason: CancelReason, met: Sequence[Met]) -> None:
    """Leave the card ended as `cancel` does. Refuses as it, from the second person on."""
    case.check_alone(Action.CANCEL)
    circumstances = case.circumstances(card)
    case.allow(APPLICATION, card.application, "cancel", circumstances, reason=reason)
    _check_demands(case, card, CancelReason(reason), met)
    evidence = {one.demand.value: one.evidence for one in met}
    end_card(case, card, "cancel", circumstances, reason=reason, met=evidence)


def end_card(
    case: Case, card: Card, event: str, circumstances: Circumstances, *, reason: str, **detail: object
) -> None:
    """Leave the card cancelled by that event, and its bank function closed with it. Refuses as `Case.step`."""
    case.step(card, APPLICATION, event, circumstances, reason=reason, **detail)
    if card.bank_function != BankFunction.CLOSED:
        case.step(card, BANK_FUNCTION, "close", circumstances)


def _check_demands(case: Case, card: Card, reason: CancelReason, met: Sequence[Met]) -> None:
    check_met(met)
    rules = card.region.rules()
    approved = case.approved is Action.CANCEL
    still_open = open_demands(
        rules.cancel_demands(reason), [one.demand for one in met], production=card.production, approved=approved
    )
    if Demand.SECOND_PERSON in still_open:
        raise NeedsSecondPerson(f"in {rules.name} a second person approves this: ask for approval")
    if still_open:
        raise NotEligible(f"cancel refused: in {rules.name} this is missing: {', '.join(still_open)}")
