"""Whatever operators ask, in whatever order, a person's cards keep to the tables and to each other."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cms.timing import days_ago
from cms.town import BANK, return_row, shown
from cms.wishes import in_person, row
from kaguan.apdu.errors import RuleBroken
from kaguan.cms.models import Card, CardEvent, CardRequest, Holder, Operator, Region, StockItem
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import AXES, PRODUCTION, Application, CancelReason, ExchangeReason, LockReason
from kaguan.cms.rules.production import Production, Report, ScrapReason
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import COLUMN_OF
from kaguan.cms.services.clock_run import run_day
from kaguan.cms.services.custody import recover_card, scrap_card
from kaguan.cms.services.departures import register_departure, revoke_departure
from kaguan.cms.services.issue import activate, give_back, hand_over
from kaguan.cms.services.lock import cancel, lock, seal, unlock
from kaguan.cms.services.loss import (
    release_bank_loss,
    release_loss,
    report_bank_loss,
    report_formal_loss,
    report_temporary_loss,
)
from kaguan.cms.services.orders import NewCard, order_exchange, order_renewal, order_replacement
from kaguan.cms.services.pin import record_pin_blocked, record_pin_change, reset_pin, void_pin
from kaguan.cms.services.production import order_requests, report_stage
from kaguan.cms.services.requests import Applicant, Wish, apply, check_request, withdraw_request
from kaguan.cms.services.set_up import set_region
from kaguan.cms.services.stock import receive_stock

pytestmark = pytest.mark.slow

ALIVE = {Application.NORMAL, Application.TEMPORARY_LOSS, Application.FORMAL_LOSS, Application.LOCKED}
IN_CUSTODY = {Production.AT_OUTLET, Production.UNDELIVERABLE, Production.RECOVERED}
BORN = "19900307"
AGED = ["report_temporary_loss", "report_formal_loss", "become_formal", "receive", "hand_over"]

ON_CARD = [
    (report_temporary_loss, "hotline", {}),
    (report_bank_loss, "teller", {}),
    (release_bank_loss, "teller", {}),
    (record_pin_change, "cashier", {}),
    (record_pin_blocked, "cashier", {}),
    (void_pin, "teller", {}),
    (lock, "clerk", {"reason": LockReason.OTHER}),
    (unlock, "clerk", {}),
    (seal, "clerk", {}),
    (cancel, "clerk", {"reason": CancelReason.OTHER}),
    (recover_card, "teller", {}),
    (scrap_card, "supervisor", {"reason": ScrapReason.OTHER}),
]
"""Who asks what of a card with nothing but its number."""
WITH_DOCUMENT = [activate, activate, report_formal_loss, release_loss, reset_pin]


class Lives(RuleBasedStateMachine):
    """One person, who was never seen before, among operators who try everything."""

    town = None
    people = 0

    def __init__(self):
        super().__init__()
        type(self).people += 1
        self.person = Applicant("01", f"990101{BORN}{self.people:04}", f"测试人{self.people}")
        self.holder = Holder.objects.create(
            cert_type="01", cert_no=self.person.cert_no, name=self.person.name, region=Region.objects.get()
        )
        self.made = 0
        self.departure = None

    def attempt(self, use, who, **asked):
        """Ask; a refusal leaves the person's cards as they were."""
        before = self.states()
        try:
            return use(getattr(self.town, who), uuid4(), **asked)
        except RuleBroken:
            assert self.states() == before
            return None

    def states(self):
        cards = Card.objects.filter(holder=self.holder).order_by("card_no")
        requests = CardRequest.objects.filter(holder=self.holder).order_by("pk")
        return list(cards.values_list(*COLUMN_OF.values(), "replaced_by")), list(requests.values_list("pk", "stage"))

    def card(self, data):
        numbers = list(Card.objects.filter(holder=self.holder).order_by("-card_no").values_list("pk", flat=True))
        return data.draw(st.sampled_from(numbers[:2] or ["990199999"]))

    def next_number(self):
        self.made += 1
        return f"99{self.people:04}{self.made:03}"

    def request(self):
        newest = CardRequest.objects.filter(holder=self.holder).order_by("-applied_at").first()
        return newest.pk if newest else uuid4()

    @initialize(steps=st.integers(0, 6))
    def begin(self, steps):
        self.go_on(steps)

    @rule(steps=st.integers(1, 6))
    def go_on(self, steps):
        """So many steps of the straight way from a wish to a card in use, as far as they are allowed."""
        way = [self.wish_for_one, self.check, self.order, self.receive, self.collect, self.switch_on]
        for step in way[:steps]:
            step()

    def wish_for_one(self):
        wish = Wish(RequestKind.NEW, BANK)
        self.attempt(apply, "teller", applicant=self.person, wish=wish, presence=in_person(self.person))

    def newest(self):
        newest = Card.objects.filter(holder=self.holder).order_by("card_no").last()
        return newest.card_no if newest else "990199999"

    def receive(self):
        made = return_row(self.newest(), self.person.cert_no, self.person.name)
        self.attempt(receive_stock, "teller", rows=[made])

    def collect(self):
        self.hand(self.newest(), hand_over)

    def switch_on(self):
        self.attempt(activate, "teller", card_no=self.newest(), document=shown(self.person.cert_no))

    @rule(kind=st.sampled_from(RequestKind), reason=st.sampled_from(["", "3", "01"]))
    def wish(self, kind, reason):
        wish = Wish(kind, BANK, reason=reason)
        self.attempt(apply, "teller", applicant=self.person, wish=wish, presence=in_person(self.person))

    @rule()
    def check(self):
        self.attempt(check_request, "supervisor", card_request_id=self.request())

    @rule()
    def withdraw(self):
        self.attempt(withdraw_request, "teller", card_request_id=self.request())

    @rule()
    def order(self):
        number = self.next_number()
        self.attempt(order_requests, "clerk", order_no=f"R{number}", rows=[row(self.request(), number)])

    @rule(data=st.data(), report=st.sampled_from(Report))
    def production(self, data, report):
        why = "told so" if report.startswith("fail") else ""
        self.attempt(report_stage, "clerk", card_nos=[self.card(data)], report=report, why=why)

    @rule(data=st.data(), use=st.sampled_from([hand_over, give_back]))
    def give(self, data, use):
        self.hand(self.card(data), use)

    def hand(self, card_no, use):
        document = shown(self.person.cert_no)
        self.attempt(use, "teller", card_no=card_no, document=document, verdict=Verdict.SAME_PERSON)

    @rule(data=st.data(), use=st.sampled_from(WITH_DOCUMENT))
    def with_document(self, data, use):
        self.attempt(use, "teller", card_no=self.card(data), document=shown(self.person.cert_no))

    @rule(data=st.data(), asked=st.sampled_from(ON_CARD))
    def on_card(self, data, asked):
        use, who, more = asked
        self.attempt(use, who, card_no=self.card(data), **more)

    @rule(data=st.data(), use=st.sampled_from([order_replacement, order_exchange, order_renewal]))
    def succeed(self, data, use):
        number, old = self.next_number(), self.card(data)
        asked = {"new": NewCard(number, f"S{number}", date(2026, 3, 1), date(2036, 3, 1))}
        if use is order_exchange:
            asked["reason"] = ExchangeReason.DAMAGE
        self.attempt(use, "clerk", card_no=old, **asked)

    @rule(data=st.data(), event=st.sampled_from(AGED), days=st.sampled_from([5, 400]))
    def time_passes(self, data, event, days):
        card_no = self.card(data)
        if CardEvent.objects.filter(card=card_no, event=event).exists():
            days_ago(card_no, event, days)
        list(run_day(self.town.clock, timezone.localdate()))

    @rule()
    def depart(self):
        document = {"cert_type": "01", "cert_no": self.person.cert_no}
        asked = {"kind": DepartureKind.TRANSFERRED, "happened_on": date(2026, 1, 9), "evidence": "letter"}
        gone = self.attempt(register_departure, "clerk", **document, **asked)
        self.departure = gone.departure_id if gone else self.departure

    @rule()
    def come_back(self):
        if self.departure:
            self.attempt(revoke_departure, "supervisor", departure_id=self.departure)

    @invariant()
    def one_card_lives(self):
        cards = list(Card.objects.filter(holder=self.holder))
        assert sum(card.application in ALIVE for card in cards) <= 1
        assert all(card.application == Application.CANCELLED for card in cards if card.replaced_by_id)

    @invariant()
    def every_step_stands_in_its_table(self):
        events = list(CardEvent.objects.filter(card__holder=self.holder).order_by("id"))
        told_again = any(told.event in AGED for told in events)
        for card in Card.objects.filter(holder=self.holder):
            for axis in AXES:
                told_here = (told for told in events if told.card_id == card.pk and told.axis == axis.name)
                steps = [(told.from_state, told.event, told.to_state) for told in told_here]
                # An event that was made old stands twice in the tests, one behind the other or later.
                once = list(dict.fromkeys(steps)) if told_again else steps
                for before, event, after in once:
                    if (event, before) != ("order", ""):
                        assert axis.find(before, event).target == after
                if once == steps:
                    assert all(first[2] == then[0] for first, then in pairwise(steps))
                if steps and once == steps:
                    assert getattr(card, COLUMN_OF[axis.name]) == steps[-1][2]

    @invariant()
    def custody_follows_production(self):
        for item in StockItem.objects.filter(card__holder=self.holder).select_related("card"):
            assert (item.handed_over_at is None) == (item.card.production in IN_CUSTODY)
        assert Card.objects.filter(holder=self.holder, production__in=[PRODUCTION.initial]).count() == 0


def test_whatever_is_asked_cards_keep_to_their_tables(town):
    Lives.town = town
    set_region(
        town.administrator,
        uuid4(),
        settings={"formal_loss_can_be_released": True, "formal_loss_cancels_after_days": 300},
    )
    Operator.objects.filter(code="supervisor").update(
        roles=[Role.AUTHORITY_SUPERVISOR.value, Role.AUTHORITY_CLERK.value]
    )
    run_state_machine_as_test(Lives, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
    assert CardEvent.objects.values("event").distinct().count() > 5
