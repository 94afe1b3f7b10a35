"""Look at cards: one, its life, or page by page those in reach. Whoever may look sees people masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.state_tag import state_tag
from kaguan.cms.services.use_case import question


@dataclass(frozen=True, slots=True)
class CardView:
    """A card as whoever works with cards sees it; `state_tag` stands for all of its state."""

    card_no: str
    holder_id: int
    name: str
    bank_code: str
    bank_card_no: str
    production: str
    application: str
    bank_function: str
    pin: str
    issue_date: str
    valid_until: str
    chip_blocked: bool
    replaced_by: str
    state_tag: str


@dataclass(frozen=True, slots=True)
class CardStep:
    """One step in the life of a card, at an ISO 8601 moment; `number` grows along the life."""

    number: int
    at: str
    axis: str
    event: str
    from_state: str
    to_state: str
    reason: str
    operator: str
    institution: str


@question("look at card", Right.LOOK)
def look_at_card(case: Case, /, *, card_no: str) -> CardView:
    """Return how the card stands. Refuses in this order: no such card, own card."""
    return _view(case.card(card_no))


@question("look at card's life", Right.LOOK)
def look_at_life(case: Case, /, *, card_no: str, after: int, most: int) -> list[CardStep]:
    """Return at most so many steps that come after that number, oldest first. Refuses as `look_at_card`."""
    card = case.card(card_no)
    return [
        CardStep(
            event.pk,
            event.at.isoformat(timespec="seconds"),
            event.axis,
            event.event,
            event.from_state,
            event.to_state,
            event.reason,
            event.operator,
            event.institution,
        )
        for event in CardEvent.objects.filter(card=card, pk__gt=after).order_by("pk")[:most]
    ]


@question("look at cards", Right.LOOK)
def look_at_cards(
    case: Case, /, *, after: str, most: int, application: Sequence[Application] = (), holder_id: int | None = None
) -> list[CardView]:
    """Return at most so many cards in reach with a greater number than that, by number, without the actor's own."""
    cards = Card.objects.filter(region__in=case.regions, card_no__gt=after)
    if application:
        cards = cards.filter(application__in=list(application))
    if holder_id is not None:
        cards = cards.filter(holder=holder_id)
    if case.operator.holder_id is not None:
        cards = cards.exclude(holder=case.operator.holder_id)
    return [_view(card) for card in cards.select_related("holder", "replaced_by").order_by("card_no")[:most]]


def _view(card: Card) -> CardView:
    return CardView(
        card.card_no,
        card.holder_id,
        mask_name(card.holder.name),
        card.bank_code,
        mask_number(card.bank_card_no),
        card.production,
        card.application,
        card.bank_function,
        card.pin,
        card.issue_date.isoformat(),
        card.valid_until.isoformat(),
        card.chip_blocked_at is not None,
        card.replaced_by.card_no if card.replaced_by else "",
        state_tag(card),
    )


@question("look at named person's card", Right.LOOK)
def look_at_card_of(case: Case, /, *, card_no: str, cert_no: str, name: str) -> CardView:
    """Return how the card stands when it is that person's; another person's is refused like no card at all."""
    card = case.card(card_no)
    if (card.holder.cert_no, card.holder.name) != (cert_no.upper(), name):
        raise NotFound(f"no card {card_no} is on the books")
    return _view(card)
