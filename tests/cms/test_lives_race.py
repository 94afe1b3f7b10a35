"""Two operators at once on one person or one card, on a real database file with real locks."""

from __future__ import annotations

from threading import Event
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from cms.threads import at_once
from cms.timing import days_ago, the_clock
from cms.town import shown
from cms.wishes import ADULT, NEW, enrol, in_person
from kaguan.cms.models import Card, CardEvent, CardRequest, StockItem
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import MayNotHaveCard, RuleBroken
from kaguan.cms.services.chip.blacklist import blacklist_of, push_blacklist
from kaguan.cms.services.clock_run import run_day
from kaguan.cms.services.custody import offer_cards, place_card, refuse_cards, take_cards
from kaguan.cms.services.issue import hand_over
from kaguan.cms.services.listing import follow_blacklist
from kaguan.cms.services.lock import seal
from kaguan.cms.services.loss import report_formal_loss, report_temporary_loss
from kaguan.cms.services.requests import apply

pytestmark = pytest.mark.slow

CARD = "990100001"
PEOPLE = ("990101199003070017", "990101198811110028")
TERMINAL_NO = "000000000001"


def test_a_person_has_one_open_request_however_many_ask(lasting_town):
    town = lasting_town
    enrol()
    outcomes = at_once(
        *(
            lambda actor=actor: apply(actor, uuid4(), applicant=ADULT, wish=NEW, presence=in_person())
            for actor in (town.teller, town.second_teller, town.other_bank_teller, town.clerk)
        )
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["MayNotHaveCard"] * 3 + ["RequestState"]
    assert {outcome.code for outcome in outcomes if isinstance(outcome, MayNotHaveCard)} == {"4"}
    assert CardRequest.objects.count() == 1


@pytest.mark.parametrize("attempt", range(3))
def test_an_offer_is_taken_or_withdrawn_and_never_both(lasting_town, attempt):
    town = lasting_town
    town.order()
    town.receive(CARD)
    offer_cards(town.teller, uuid4(), card_nos=[CARD], taker="teller2")
    taken, withdrawn = at_once(
        lambda: take_cards(town.second_teller, uuid4(), card_nos=[CARD]),
        lambda: refuse_cards(town.teller, uuid4(), card_nos=[CARD]),
    )
    assert isinstance(taken, RuleBroken) != isinstance(withdrawn, RuleBroken)
    keeper = "teller" if isinstance(taken, RuleBroken) else "teller2"
    assert list(StockItem.objects.values_list("keeper", "offered_to")) == [(keeper, "")]
    assert CardEvent.objects.filter(event__in=["take", "refuse"]).count() == 1


def test_two_cards_are_not_put_into_one_place(lasting_town):
    town = lasting_town
    people = {CARD: "990101199003070017", "990100002": "990101198811110028"}
    for card_no, cert_no in people.items():
        town.order(card_no, cert_no)
        town.receive(card_no, cert_no)
    outcomes = at_once(
        *(
            lambda card_no=card_no: place_card(town.teller, uuid4(), card_no=card_no, cabinet="A", position="1")
            for card_no in people
        )
    )
    assert [isinstance(outcome, RuleBroken) for outcome in outcomes].count(True) == 1
    assert StockItem.objects.filter(position="1").count() == 1


@pytest.mark.parametrize("attempt", range(3))
def test_a_card_is_handed_over_or_sealed_and_never_both(lasting_town, attempt):
    town = lasting_town
    town.order()
    town.receive(CARD)
    given, sealed = at_once(
        lambda: hand_over(town.teller, uuid4(), card_no=CARD, document=shown(), verdict=Verdict.SAME_PERSON),
        lambda: seal(town.clerk, uuid4(), card_no=CARD),
    )
    assert isinstance(given, RuleBroken) != isinstance(sealed, RuleBroken)
    card = Card.objects.get()
    assert (card.production, card.application) in {
        (Production.AT_OUTLET, Application.SEALED),
        (Production.HANDED_OVER, Application.NOT_ENABLED),
    }


@pytest.mark.parametrize("attempt", range(3))
def test_two_clocks_and_a_holder_leave_one_story(lasting_town, attempt):
    town = lasting_town
    town.active_card()
    report_temporary_loss(town.hotline, uuid4(), card_no=CARD)
    days_ago(CARD, "report_temporary_loss", 10)
    clock = the_clock()
    at_once(
        lambda: list(run_day(clock, timezone.localdate())),
        lambda: list(run_day(clock, timezone.localdate())),
        lambda: report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown()),
    )
    card = Card.objects.get()
    assert card.application == Application.FORMAL_LOSS
    told = CardEvent.objects.filter(axis="application").order_by("id").exclude(event="report_temporary_loss")
    steps = list(told.values_list("event", flat=True))
    assert steps in (["activate", "lapse", "report_formal_loss"], ["activate", "report_formal_loss"])


@pytest.mark.only_on("postgresql")
def test_a_list_waits_for_the_changes_below_its_number(lasting_town):
    town = lasting_town
    first, second = (town.active_card(f"99010000{n}", cert_no) for n, cert_no in enumerate(PEOPLE, start=1))
    written, made = Event(), Event()

    def slow_report():
        with transaction.atomic():
            card = Card.objects.get(pk=first)
            card.application = Application.LOCKED
            follow_blacklist(card, Application.NORMAL, reason="", at=timezone.now())
            written.set()
            return made.wait(0.5)

    def quick_report_and_list():
        written.wait()
        report_temporary_loss(town.hotline, uuid4(), card_no=second)  # has the higher number, and is there first
        push = push_blacklist(town.clerk, uuid4(), terminal_no=TERMINAL_NO, institution="PHARMACY-1")
        made.set()
        return push

    early, push = at_once(slow_report, quick_report_and_list)
    assert not early
    assert len(blacklist_of(UUID(push.push_id)).cards) == 2
