"""Custody of cards: where each one lies, who answers for it, how it changes hands, and how it ends.

Law. A card in custody has one keeper: an institution, or one of its operators.
Law. It changes hands in two steps by two people: one offers it, the other takes it. In between nobody may use it.
Law. A card is destroyed by somebody other than who took it back, and never before its application is cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, Operator, StockItem
from kaguan.cms.rules.production import PRODUCTION, Production, ScrapReason, UndeliverableReason
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case

CUSTODY: Final = "custody"
"""Where the events of custody stand among those of the axes; their states are operators, not codes."""


@dataclass(frozen=True, slots=True)
class CustodyReceipt:
    """How many cards changed place or hands, and who has them, or is to have them, now."""

    card_count: int
    keeper: str


def item_in_custody(case: Case, card: Card) -> StockItem:
    """Return the card's place in stock, for an operator who may act on it.

    Refuses with NotEligible, in this order: not in the custody of the actor's institution, on offer, another's.
    """
    item = _kept(case, card)
    if item.offered_to:
        raise NotEligible(f"card {card.card_no} is offered to {item.offered_to}, who has not taken it yet")
    if item.keeper not in {"", case.operator.code}:
        raise NotEligible(f"card {card.card_no} is kept by {item.keeper}: have it handed over first")
    return item


def _kept(case: Case, card: Card) -> StockItem:
    kept = StockItem.objects.select_for_update(no_key=True).filter(
        card=card, institution=case.institution, handed_over_at=None
    )
    item = kept.first()
    if item is None:
        raise NotEligible(f"card {card.card_no} is not in the custody of {case.institution.code}")
    return item


@use_case("place card", Right.RECEIVE, CustodyReceipt)
def place_card(case: Case, /, *, card_no: str, cabinet: str, position: str) -> CustodyReceipt:
    """Leave the card in that position of that cabinet, whether it lay elsewhere before or nowhere.

    Refuses, in this order: no such card, own card, no place named, not in custody here, on offer, another's,
    position taken.
    """
    card = case.card(card_no)
    if not cabinet or not position:
        raise NotEligible("a place needs a cabinet and a position")
    item = item_in_custody(case, card)
    there = StockItem.objects.filter(
        institution=case.institution, cabinet=cabinet, position=position, handed_over_at=None
    )
    taken = there.exclude(pk=item.pk).first()
    if taken is not None:
        raise DuplicateRequest(f"card {taken.card.card_no} lies in {cabinet} {position} already")
    StockItem.objects.filter(pk=item.pk).update(cabinet=cabinet, position=position)
    old_place = f"{item.cabinet} {item.position}".strip()
    case.tell(card, CUSTODY, "place", "", "", old_place=old_place, place=f"{cabinet} {position}")
    return CustodyReceipt(1, item.keeper or case.institution.code)


@use_case("offer cards", Right.RECEIVE, CustodyReceipt)
def offer_cards(case: Case, /, *, card_nos: Sequence[str], taker: str) -> CustodyReceipt:
    """Leave the cards offered to another operator, here or at another institution, who has not taken them yet.

    Refuses all at the first bad one, in this order: no such taker, oneself, no cards; no such card, own card, not in
    custody here, on offer already, another's.
    """
    operator = _taker(case, taker)
    if operator.code == case.operator.code:
        raise NeedsSecondPerson(f"operator {taker} cannot hand cards over to themselves")
    for card in _cards(case, card_nos):
        _offer(case, card, operator.code)
    case.note(card_count=len(card_nos), taker=taker)
    return CustodyReceipt(len(card_nos), taker)


@use_case("take cards", Right.RECEIVE, CustodyReceipt)
def take_cards(case: Case, /, *, card_nos: Sequence[str]) -> CustodyReceipt:
    """Leave the offered cards with the actor, in no cabinet yet; they belong to the actor's institution from now on.

    Refuses all at the first bad one, in this order: no cards; no such card, own card, not offered to the actor.
    """
    for card in _cards(case, card_nos):
        item = _offered(case, card, [case.operator.code])
        StockItem.objects.filter(pk=item.pk).update(
            institution=case.institution, keeper=case.operator.code, offered_to="", cabinet="", position=""
        )
        case.tell(card, CUSTODY, "take", "", "", giver=item.keeper, taker=case.operator.code)
    case.note(card_count=len(card_nos))
    return CustodyReceipt(len(card_nos), case.operator.code)


@use_case("refuse cards", Right.RECEIVE, CustodyReceipt)
def refuse_cards(case: Case, /, *, card_nos: Sequence[str]) -> CustodyReceipt:
    """Leave the cards with who offered them: asked by the taker who does not want them, or the giver who thinks again.

    Refuses all at the first bad one, in this order: no cards; no such card, own card, not on offer by or to the actor.
    """
    for card in _cards(case, card_nos):
        item = _offered(case, card, None)
        if case.operator.code not in {item.offered_to, item.keeper}:
            raise NotEligible(f"card {card.card_no} is on offer neither by nor to {case.operator.code}")
        StockItem.objects.filter(pk=item.pk).update(offered_to="")
        case.tell(card, CUSTODY, "refuse", "", "", giver=item.keeper, taker=item.offered_to)
    case.note(card_count=len(card_nos))
    return CustodyReceipt(len(card_nos), case.institution.code)


@use_case("return stock", Right.RECEIVE, CustodyReceipt)
def return_stock(case: Case, /, *, card_nos: Sequence[str], reason: UndeliverableReason, taker: str) -> CustodyReceipt:
    """Leave cards that cannot be handed over here on their way back, offered to an operator of another institution.

    Refuses all at the first bad one, in this order: no such taker, taker of the same institution, no cards; no such
    card, own card, not waiting at an outlet, not in custody here, on offer, another's.
    """
    operator = _taker(case, taker)
    if operator.institution.code == case.institution.code:
        raise NotEligible(f"operator {taker} works at {case.institution.code}: cards go back to another institution")
    for card in _cards(case, card_nos):
        case.step(card, PRODUCTION, "fail_delivery", case.circumstances(card), reason=reason)
        _offer(case, card, operator.code)
    case.note(card_count=len(card_nos), taker=taker)
    return CustodyReceipt(len(card_nos), taker)


@use_case("recover card", Right.RECEIVE, CardState)
def recover_card(case: Case, /, *, card_no: str) -> CardState:
    """Leave a card that has ended, or is found, taken back into the custody of the actor.

    Refuses, in this order: no such card, own card, neither with its holder nor in stock, on offer or another's.
    """
    card = case.card(card_no)
    if card.production != Production.HANDED_OVER:
        PRODUCTION.find(card.production, "recover")
        item_in_custody(case, card)
    case.step(card, PRODUCTION, "recover", case.circumstances(card))
    StockItem.objects.filter(card=card).update(
        institution=case.institution, keeper=case.operator.code, handed_over_at=None, cabinet="", position=""
    )
    return state_of(card)


@use_case("scrap card", Right.SCRAP, CardState)
def scrap_card(case: Case, /, *, card_no: str, reason: ScrapReason) -> CardState:
    """Leave the card destroyed. The second person is who did not take it back or keep it.

    Refuses, in this order: no such card, own card, not in a state to be scrapped, not cancelled yet, taken back or
    kept by the same operator, on offer.
    """
    card = case.card(card_no)
    case.step(card, PRODUCTION, "scrap", case.circumstances(card), reason=reason)
    item = StockItem.objects.select_for_update(no_key=True).filter(card=card).first()
    brought = CardEvent.objects.filter(card=card, axis=PRODUCTION.name).exclude(event="scrap").order_by("id").last()
    if case.operator.code in {item.keeper if item else "", brought.operator if brought else ""}:
        raise NeedsSecondPerson(f"operator {case.operator.code} brought the card in: another one has to scrap it")
    if item is not None:
        if item.offered_to:
            raise NotEligible(f"card {card_no} is offered to {item.offered_to}, who has not taken it yet")
        StockItem.objects.filter(pk=item.pk).update(handed_over_at=case.at, cabinet="", position="")
    return state_of(card)


def _cards(case: Case, card_nos: Sequence[str]) -> list[Card]:
    """Return the cards, locked in one order whoever asks, so that two requests never wait for each other."""
    if not card_nos:
        raise NotEligible("no cards are named")
    return [case.card(card_no) for card_no in sorted(set(card_nos))]


def _taker(case: Case, code: str) -> Operator:
    """Return the operator of the actor's region; refuse with NotFound."""
    here = Operator.objects.select_related("institution").filter(institution__region=case.institution.region)
    operator = here.filter(pk=code, active=True).first()
    if operator is None:
        raise NotFound(f"no operator {code!r} works in this region")
    return operator


def _offer(case: Case, card: Card, taker: str) -> None:
    item = item_in_custody(case, card)
    # What lay with the institution is from now on kept by who offers it, so that a refusal leads back to a person.
    StockItem.objects.filter(pk=item.pk).update(keeper=case.operator.code, offered_to=taker)
    case.tell(card, CUSTODY, "offer", "", "", giver=case.operator.code, taker=taker)


def _offered(case: Case, card: Card, takers: list[str] | None) -> StockItem:
    item = (
        StockItem.objects.select_for_update(no_key=True)
        .filter(card=card, handed_over_at=None)
        .exclude(offered_to="")
        .first()
    )
    if item is None or (takers is not None and item.offered_to not in takers):
        raise NotEligible(f"card {card.card_no} is not on offer to {case.operator.code}")
    return item
