"""Loss of a card: reported for the time being, reported formally, released, lapsed, and its chip made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from django.utils import timezone

from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, LOST_OR_ENDED, Application, BankFunction
from kaguan.cms.rules.losses import takes_bank_along
from kaguan.cms.rules.papers import missing_papers
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.rules.timetable import CARD_RULE_OF, TimeRule
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.chip.cases import begin_step, end_step, tell_of_chip
from kaguan.cms.services.outbox import tell_bank
from kaguan.cms.services.use_case import use_case

BLOCK_ORDERED: Final = "order_block"
BLOCK_PRESUMED: Final = "presume_block"


@dataclass(frozen=True, slots=True)
class Report:
    """By which step of the application a loss is reported for the time being, and by which the bank's side follows."""

    event: str
    bank_event: str


REPORTED: Final = Report("report_temporary_loss", "suspend_with_card")
REPORTED_BY_HOLDER: Final = Report("report_own_loss", "suspend_with_own_report")

_BANK_LOST: Final = frozenset({BankFunction.TEMPORARY_LOSS, BankFunction.LOST})
_BANK_NOT_LOST: Final = frozenset({BankFunction.ACTIVE, BankFunction.TEMPORARY_LOSS})


@use_case("report temporary loss", Right.LOSS, CardState)
def report_temporary_loss(case: Case, /, *, card_no: str, channel: Channel | None = None) -> CardState:
    """Leave the card unusable for the days that its region allows; a call from the holder is enough.

    The bank's side comes along as far as the region says, for days of its own.
    Refuses, in this order: no such card, own card, channel, state.
    """
    card = case.card(card_no)
    return lose_for_now(case, card, REPORTED, case.circumstances(card), channel)


def lose_for_now(
    case: Case, card: Card, report: Report, circumstances: Circumstances, channel: Channel | None
) -> CardState:
    """Leave the card lost for the time being, and its bank told. Refuses, in this order: channel, state, guards."""
    rules = card.region.rules()
    case.taken_by(report.event, channel, rules.temporary_loss_channels, rules.name)
    before = state_of(card)
    case.step(card, APPLICATION, report.event, circumstances)
    if card.bank_function == BankFunction.ACTIVE and _bank_comes_along(case, card):
        case.step(card, BANK_FUNCTION, report.bank_event, circumstances)
    tell_bank(case, card, "report_temporary_loss", before)
    return state_of(card)


@use_case("report formal loss", Right.LOSS, CardState)
def report_formal_loss(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    papers: Sequence[Paper] = (),
    channel: Channel | None = None,
) -> CardState:
    """Leave the card lost in writing; the bank function is reported lost with it as far as the region says.

    Refuses, in this order: no such card, own card, channel, state, document, other papers.
    """
    card = case.card(card_no)
    rules = card.region.rules()
    case.taken_by("report_formal_loss", channel, rules.formal_loss_channels, rules.name)
    before = state_of(card)
    circumstances = replace(
        case.circumstances(card, document=document),
        papers_missing=missing_papers(rules.formal_loss_documents, document, papers),
    )
    case.step(card, APPLICATION, "report_formal_loss", circumstances)
    if card.bank_function in _BANK_NOT_LOST and _bank_comes_along(case, card):
        case.step(card, BANK_FUNCTION, "report_loss", circumstances)
    tell_bank(case, card, "report_formal_loss", before)
    return state_of(card)


@use_case("release loss", Right.LOSS, CardState)
def release_loss(
    case: Case, /, *, card_no: str, document: Document | None = None, channel: Channel | None = None
) -> CardState:
    """Leave the found card in normal use again; a formal loss only where the region allows it, with a document.

    Refuses, in this order: no such card, own card, state, channel, needs a second person, chip blocked meanwhile,
    region, document, expired.
    """
    card = case.card(card_no)
    release_card(case, card, document, channel)
    return state_of(card)


def release_card(case: Case, card: Card, document: Document | None, channel: Channel | None = None) -> None:
    """Leave the found card in normal use again. Refuses as `release_loss`, from the state on."""
    row, rules = APPLICATION.find(card.application, "release_loss"), card.region.rules()
    formal = card.application == Application.FORMAL_LOSS
    ways = rules.formal_loss_channels if formal else rules.release_loss_channels
    case.taken_by(row.event, channel, ways, rules.name)
    if formal:
        case.check_alone(Action.RELEASE_FORMAL_LOSS)
    if card.chip_blocked_at is not None:
        raise NotEligible(f"{row.event} refused: the chip was blocked meanwhile, order a replacement")
    before, circumstances = state_of(card), case.circumstances(card, document=document)
    case.step(card, APPLICATION, "release_loss", circumstances)
    if card.bank_function in _BANK_LOST and _bank_comes_along(case, card):
        case.step(card, BANK_FUNCTION, "release_loss", circumstances)
    tell_bank(case, card, "release_loss", before)


def _bank_comes_along(case: Case, card: Card) -> bool:
    at_own_bank = bool(card.bank_code) and case.institution.bank_code == card.bank_code
    return takes_bank_along(card.region.rules().bank_loss, at_own_bank=at_own_bank)


@use_case("lapse loss", Right.LOSS, CardState)
def lapse_loss(case: Case, /, *, card_no: str) -> CardState:
    """Leave the card in normal use again because its temporary loss is older than the region's days.

    Refuses, in this order: no such card, own card, state, too early.
    """
    card = case.card(card_no)
    APPLICATION.find(card.application, "lapse")
    case.step(card, APPLICATION, "lapse", after_waiting(case, card, TimeRule.LAPSE, case.today))
    return state_of(card)


def after_waiting(case: Case, card: Card, rule: TimeRule, on: date) -> Circumstances:
    """Return the card's circumstances on that day, with the days that the time rule counts: passed, and needed.

    Refuses with NotEligible when the card has nothing to count from.
    """
    timed = CARD_RULE_OF[rule]
    since = CardEvent.objects.filter(card=card, event__in=timed.since).order_by("id").last()
    if since is None:
        raise NotEligible(f"{rule} refused: card {card.card_no} has nothing to count the days from")
    waited = timed.waited(timezone.localtime(since.at).date(), on, card.region.rules())
    return replace(case.circumstances(card), days_passed=waited.days_passed, days_needed=waited.days_needed)


@use_case("order block", Right.LOSS, CardState)
def order_block(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip is being blocked; `confirm_blocked` tells when it was.

    Refuses, in this order: no such card, own card, neither formally lost nor cancelled.
    """
    card = _ended_card(case, card_no)
    tell_of_chip(case, card, BLOCK_ORDERED)
    if card.chip_blocked_at is None:
        begin_step(case, card, Facet.BLOCK_STEP, "block chip")
    return state_of(card)


def card_being_blocked(atr: str) -> str | None:
    """Return the number of the card with that ATR (hex), when blocking it was ordered."""
    ordered = CardEvent.objects.filter(card__atr=atr, event=BLOCK_ORDERED).order_by("id").last()
    return ordered.card.card_no if ordered else None


@use_case("presume blocked", Right.LOSS, CardState)
def presume_blocked(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that a card with this one's ATR says that it is blocked, which any card could say.

    The chip does not count as harmless for that: its purse still waits for the region's days.
    Refuses, in this order: no such card, own card, neither formally lost nor cancelled.
    """
    card = _ended_card(case, card_no)
    tell_of_chip(case, card, BLOCK_PRESUMED)
    return state_of(card)


@use_case("confirm blocked", Right.LOSS, CardState)
def confirm_blocked(case: Case, /, *, card_no: str, how: str) -> CardState:
    """Leave on record that the lost chip is harmless: blocked in a reader, or on the terminals' blacklist (`how`).

    Refuses, in this order: no such card, own card, neither formally lost nor cancelled.
    """
    card = _ended_card(case, card_no)
    Card.objects.filter(pk=card.pk, chip_blocked_at=None).update(chip_blocked_at=case.at)
    tell_of_chip(case, card, "chip_blocked", how=how)
    end_step(case, card, Facet.BLOCK_STEP, how)
    case.note(how=how)
    return state_of(card)


def _ended_card(case: Case, card_no: str) -> Card:
    card = case.card(card_no)
    if card.application not in LOST_OR_ENDED:
        raise NotEligible("only the chip of a formally lost or cancelled card is blocked for good")
    return card


@use_case("report bank loss", Right.LOSS, CardState)
def report_bank_loss(case: Case, /, *, card_no: str) -> CardState:
    """Leave the bank function reported lost and the application as it is: the two are reported separately.

    Refuses, in this order: no such card, own card, bank function not active, outlet of another bank.
    """
    return _bank_step(case, card_no, "report_loss")


@use_case("release bank loss", Right.LOSS, CardState)
def release_bank_loss(case: Case, /, *, card_no: str) -> CardState:
    """Leave the bank function in use again. Refuses as `report_bank_loss`, when it is not lost."""
    return _bank_step(case, card_no, "release_loss")


def _bank_step(case: Case, card_no: str, event: str) -> CardState:
    card = case.card(card_no)
    case.step(card, BANK_FUNCTION, event, case.circumstances(card))
    return state_of(card)
