"""Hand a card to its holder, then switch it on at an outlet of its bank; `activation/` has the other ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, StockItem
from kaguan.cms.rules.activation import NO_READER, ActivationWay, ChipRecord
from kaguan.cms.rules.applying import Agent
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import PRODUCTION, Use, check_use
from kaguan.cms.rules.papers import missing_papers
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.activation.entry import ActivationState, begin, told
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.custody import item_in_custody
from kaguan.cms.services.temporary import check_temporary_returned
from kaguan.cms.services.use_case import use_case


@use_case("hand over", Right.HAND_OVER, CardState)
def hand_over(
    case: Case, /, *, card_no: str, document: Document, verdict: Verdict, guardian: Agent | None = None
) -> CardState:
    """Leave the card in the hands of its holder, or of a minor's guardian, with the 1:1 check of the person on record.

    The verdict is on whoever stands at the counter: the holder, or the guardian.
    Refuses, in this order: no such card, own card or own child's, temporary card not given back, ordered by the same
    operator, card state,
    not awaiting hand-over, document, guardian, person, expired, not in the custody of the actor's institution, kept
    by or offered to another operator.
    """
    card = case.card(card_no)
    check_temporary_returned(card)
    if card.order.ordered_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} ordered the card: another one has to hand it over")
    check_use(card.application, Use.HAND_OVER)
    _deliver(case, card, "hand_over", Receiver(document, verdict, guardian))
    return state_of(card)


@use_case("give back", Right.HAND_OVER, CardState)
def give_back(
    case: Case, /, *, card_no: str, document: Document, verdict: Verdict, guardian: Agent | None = None
) -> CardState:
    """Leave a card that was found and taken in with its holder again; a loss that was reported is not released by it.

    Refuses, in this order: no such card, own card or own child's, not taken back, cancelled, document, guardian,
    person, not in the custody of the actor's institution, kept by or offered to another operator.
    """
    card = case.card(card_no)
    _deliver(case, card, "give_back", Receiver(document, verdict, guardian))
    return state_of(card)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes the card at the counter: the holder's document, what comparing came to, and a minor's guardian."""

    document: Document
    verdict: Verdict
    guardian: Agent | None


def _deliver(case: Case, card: Card, event: str, receiver: Receiver) -> None:
    guardian = receiver.guardian
    if guardian is not None:
        case.check_not_own_document(guardian.document)
    circumstances = case.circumstances(card, document=receiver.document, verdict=receiver.verdict, guardian=guardian)
    relation = guardian.relation.value if guardian else ""
    case.step(card, PRODUCTION, event, circumstances, verdict=receiver.verdict.value, guardian=relation)
    item = item_in_custody(case, card)
    StockItem.objects.filter(pk=item.pk).update(handed_over_at=case.at, cabinet="", position="", keeper="")
    case.note(document_type=receiver.document.cert_type, verdict=receiver.verdict.value, guardian=relation)


@use_case("activate", Right.ACTIVATE, ActivationState)
def activate(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    papers: Sequence[Paper] = (),
    chip: ChipRecord = NO_READER,
) -> ActivationState:
    """Leave the card and its holder's medical account in normal use, and the bank function on.

    With a card in a reader (`chip`) it is begun only, and in use when `confirm_activation` says that the chip has it.
    Refuses, in this order: no such card, own card, way, state, not handed over yet, outlet of another bank, document,
    other papers, replaced card still open, expired, another activation open.
    """
    card = case.card(card_no)
    missing = missing_papers(card.region.rules().activate_documents, document, papers)
    circumstances = replace(case.circumstances(card, document=document), papers_missing=missing)
    evidence = {"document_type": document.cert_type}
    return told(begin(case, card, ActivationWay.BANK_OUTLET, circumstances, chip, evidence))
