"""Hand a card to its holder, then switch it on at an outlet of its bank; `activation/` has the other ways."""

from __future__ import annotations

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import StockItem
from kaguan.cms.rules.activation import NO_READER, ChipRecord
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import PRODUCTION, Use, check_use
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.regions import ActivationWay
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.activation.entry import ActivationState, begin, told
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


@use_case("activate", Right.ACTIVATE, ActivationState)
def activate(case: Case, /, *, card_no: str, document: Document, chip: ChipRecord = NO_READER) -> ActivationState:
    """Leave the card and its holder's medical account in normal use, and the bank function on.

    With a card in a reader (`chip`) it is begun only, and in use when `confirm_activation` says that the chip has it.
    Refuses, in this order: no such card, own card, way, state, not handed over yet, outlet of another bank, document,
    replaced card still open, expired, another activation open.
    """
    card = case.card(card_no)
    circumstances = case.circumstances(card, document=document)
    evidence = {"document_type": document.cert_type}
    return told(begin(case, card, ActivationWay.BANK_OUTLET, circumstances, chip, evidence))
