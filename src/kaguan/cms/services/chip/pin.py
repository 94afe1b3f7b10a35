"""The PIN in the chip: its change, reset and unblocking are on the books before the chip hears of them."""

from __future__ import annotations

from collections.abc import Sequence

from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import PIN, PIN_RESETS, Pin, Use, check_use
from kaguan.cms.rules.purchases import SITES, check_site
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.chip.books import open_facets
from kaguan.cms.services.chip.cases import begin_step, end_step
from kaguan.cms.services.pin import as_reset, change_pin
from kaguan.cms.services.use_case import use_case

CHANGE, RESET, UNBLOCK = "change PIN", "reset PIN", "unblock PIN"


@use_case("begin PIN change", Right.PIN, CardState)
def begin_pin_change(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip is being given another PIN; `end_pin_change` or `leave_pin` ends it.

    Refuses, in this order: at a clinic, hospital or pharmacy as `check_site`; no such card, own card, card state, PIN
    blocked or void.
    """
    site = case.institution
    if site.kind in SITES:
        check_site(site.kind, designated=site.designated, blacklisted=site.blacklisted, name=site.code)
    card = case.card(card_no)
    check_use(card.application, Use.CARE_FOR_PIN)
    PIN.find(card.pin, "change")
    begin_step(case, card, Facet.PIN_STEP, CHANGE)
    return state_of(card)


@use_case("end PIN change", Right.PIN, CardState)
def end_pin_change(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip took the PIN that its holder chose. Refuses as `services.pin.record_pin_change`."""
    card = case.card(card_no)
    change_pin(case, card)
    end_step(case, card, Facet.PIN_STEP, "it took the PIN")
    return state_of(card)


@use_case("leave PIN", Right.PIN, CardState)
def leave_pin(case: Case, /, *, card_no: str, why: str) -> CardState:
    """Leave on record that the chip refused, and its PIN is what it was. Refuses with NotFound, own card."""
    card = case.card(card_no)
    case.note(why=why)
    end_step(case, card, Facet.PIN_STEP, why)
    return state_of(card)


@use_case("begin PIN reset", Right.PIN, CardState)
def begin_pin_reset(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    papers: Sequence[Paper] = (),
    channel: Channel | None = None,
) -> CardState:
    """Leave the reset counted, and on record that the chip is being given a new PIN.

    Refuses as `services.pin.reset_pin`.
    """
    card = case.card(card_no)
    case.step(card, PIN, "reset", as_reset(case, card, "reset", document=document, papers=papers, channel=channel))
    begin_step(case, card, Facet.PIN_STEP, RESET)
    return state_of(card)


@use_case("begin PIN unblock", Right.PIN, CardState)
def begin_pin_unblock(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    papers: Sequence[Paper] = (),
    channel: Channel | None = None,
) -> CardState:
    """Leave the unblocking counted as a reset, and on record that the chip is being given its tries back.

    The PIN is afterwards what it was before it was blocked, the first one or one that its holder chose.
    What the region says of a reset it says of this.
    Refuses, in this order: no such card, own card, channel, card state, PIN not blocked or void, document, other
    papers, too many resets.
    """
    card = case.card(card_no)
    circumstances = as_reset(case, card, "unblock", document=document, papers=papers, channel=channel)
    blocked = CardEvent.objects.filter(card=card, axis=PIN.name, event="block").order_by("id").last()
    event = "unblock_initial" if blocked is not None and blocked.from_state == Pin.INITIAL else "unblock"
    case.step(card, PIN, event, circumstances)
    begin_step(case, card, Facet.PIN_STEP, UNBLOCK)
    return state_of(card)


@use_case("end PIN step", Right.PIN, CardState)
def end_pin_step(case: Case, /, *, card_no: str) -> CardState:
    """Leave on record that the chip has its tries back, with whichever PIN. Refuses with NotFound, own card."""
    card = case.card(card_no)
    end_step(case, card, Facet.PIN_STEP, "it has all its tries")
    return state_of(card)


def pin_step_is_open(card_no: str) -> bool:
    """Return whether the chip was told something about its PIN and nobody knows whether it did it."""
    return Facet.PIN_STEP in open_facets(card_no)


def pin_is_worn_out(card_no: str, resets_allowed: int) -> bool:
    """Return whether the card's PIN is blocked and was reset as often as that."""
    done = CardEvent.objects.filter(card=card_no, axis=PIN.name, event__in=PIN_RESETS).count()
    return done >= resets_allowed and Card.objects.get(pk=card_no).pin == Pin.BLOCKED
