"""Hand a card to its holder, then switch it on."""

from __future__ import annotations

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import StockItem
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, PRODUCTION, BankFunction, Use, check_use
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case


@use_case("hand over", Right.HAND_OVER, CardState)
def hand_over(case: Case, /, *, card_no: str, document: Document, verdict: Verdict) -> CardState:
    """Leave the card in its holder's hands, with the 1:1 check of the person on record.

    Refuses, in this order: no such card, own card, ordered by the same operator, card state, not awaiting hand-over,
    document, person, expired, not in the custody of the actor's institution.
    """
    card = case.card(card_no)
    if card.order.ordered_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} ordered the card: another one has to hand it over")
    check_use(card.application, Use.HAND_OVER)
    case.step(card, PRODUCTION, "hand_over", case.circumstances(card, document=document, verdict=verdict))
    kept = StockItem.objects.filter(card=card, institution=case.institution, handed_over_at=None)
    if not kept.update(handed_over_at=case.at):
        raise NotEligible(f"card {card_no} is not in the custody of {case.institution.code}")
    case.note(document_type=document.cert_type, verdict=verdict.value)
    return state_of(card)


@use_case("activate", Right.ACTIVATE, CardState)
def activate(case: Case, /, *, card_no: str, document: Document) -> CardState:
    """Leave the card and its holder's medical account in normal use, and the bank function on.

    Refuses, in this order: no such card, own card, state, not handed over yet, outlet of another bank, document,
    replaced card still open, expired.
    """
    card = case.card(card_no)
    circumstances = case.circumstances(card, document=document)
    case.step(card, APPLICATION, "activate", circumstances)
    if card.bank_function == BankFunction.INACTIVE:
        case.step(card, BANK_FUNCTION, "activate", circumstances)
    case.note(document_type=document.cert_type)
    return state_of(card)
