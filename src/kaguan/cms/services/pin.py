"""Book what happened to a card's PIN; the digits never come here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kaguan.cms.models import Card
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import PIN, Pin, Use, check_use
from kaguan.cms.rules.papers import missing_papers
from kaguan.cms.rules.refusals import IllegalTransition, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.use_case import use_case


def check_pin_serves(card: Card) -> None:
    """Return when the holder may be asked for the PIN of this card.

    Refuses, in this order: PIN blocked or void (IllegalTransition); still the first one where the region wants it
    changed on receipt (NotEligible).
    """
    if card.pin in {Pin.BLOCKED, Pin.VOID}:
        raise IllegalTransition(PIN.refusals[Pin(card.pin)])
    if card.pin == Pin.INITIAL and card.region.rules().pin_initial_must_change:
        raise NotEligible("the PIN is still the first one: its holder changes it before the card pays or is loaded")


@use_case("change PIN", Right.PIN, CardState)
def record_pin_change(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the holder chose a new PIN, at an outlet or at the terminal of a designated site."""
    card = case.card(card_no)
    change_pin(case, card)
    return state_of(card)


def change_pin(case: Case, card: Card) -> None:
    """Leave the PIN one that its holder chose. Refuses, in this order: card state, PIN blocked or void."""
    check_use(card.application, Use.CARE_FOR_PIN)
    case.step(card, PIN, "change", case.circumstances(card))


@use_case("block PIN", Right.PIN, CardState)
def record_pin_blocked(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip takes no PIN any more, after too many wrong ones.

    It is a fact and not a wish, so it is told of a card in any state; told of a blocked PIN it changes nothing.
    """
    card = case.card(card_no)
    if card.pin not in {Pin.BLOCKED, Pin.VOID}:
        case.step(card, PIN, "block", case.circumstances(card))
    return state_of(card)


@use_case("reset PIN", Right.PIN, CardState)
def reset_pin(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    papers: Sequence[Paper] = (),
    channel: Channel | None = None,
) -> CardState:
    """Leave on record that the holder, known by an original document, typed a new PIN into the chip.

    Refuses, in this order: no such card, own card, channel, card state, PIN void, document, other papers, too many
    resets.
    """
    card = case.card(card_no)
    case.step(card, PIN, "reset", as_reset(case, card, "reset", document=document, papers=papers, channel=channel))
    return state_of(card)


def as_reset(
    case: Case,
    card: Card,
    event: str,
    *,
    document: Document,
    papers: Sequence[Paper],
    channel: Channel | None,
) -> Circumstances:
    """Return the circumstances of a step that the region's settings for a reset speak of, with what is not shown yet.

    Refuses, in this order: channel, card state.
    """
    rules = card.region.rules()
    case.taken_by(event, channel, rules.pin_reset_channels, rules.name)
    check_use(card.application, Use.CARE_FOR_PIN)
    missing = missing_papers(rules.pin_reset_documents, document, papers)
    return replace(case.circumstances(card, document=document), papers_missing=missing)


@use_case("void PIN", Right.PIN, CardState)
def void_pin(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the blocked PIN was reset as often as the region allows and is void: the card is replaced.

    Refuses, in this order: no such card, own card, PIN not blocked, resets left.
    """
    card = case.card(card_no)
    case.step(card, PIN, "void", case.circumstances(card))
    return state_of(card)
