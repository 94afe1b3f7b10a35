"""A request for every use case of a card's life beside money: who asks, what has to be there, and what is asked."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from cms.request_cases import CARD, ON_CARD, ordered
from cms.timing import days_ago
from cms.town import CERT_NO, return_row, shown
from cms.wishes import ADULT, NEW, enrol, in_person, row
from kaguan.cms.models import Card, Operator, TemporaryCard
from kaguan.cms.rules.applying import ApplicationWay, Presence
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason
from kaguan.cms.rules.production import CheckFailure, Report, ScrapReason, UndeliverableReason
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.timetable import TimeRule
from kaguan.cms.services import (
    clock,
    custody,
    departures,
    fees,
    instant,
    issue,
    lock,
    loss,
    orders,
    pin,
    production,
    requests,
    temporary,
)
from kaguan.cms.services.set_up import set_region

WISH, GONE, FEE = UUID(int=9), UUID(int=10), UUID(int=11)
FIRST_CARD = {"cert_type": "01", "cert_no": CERT_NO, "kind": FeeKind.FIRST}
THIS_WISH = {"card_request_id": WISH}
ON_CARDS = {"card_nos": [CARD]}
SLIP = {"temporary_card_no": "T1"}
APPLICATION = {"applicant": ADULT, "wish": NEW, "presence": in_person()}
UNIT = {"applicants": [ADULT], "wish": NEW, "presence": Presence(ApplicationWay.UNIT, unit_no="U1")}
SUCCESSOR = {"new": orders.NewCard("990100002", "R1", date(2026, 3, 1), date(2036, 3, 1))}
DEATH = {
    "cert_type": "01",
    "cert_no": CERT_NO,
    "kind": DepartureKind.DEAD,
    "happened_on": date(2026, 1, 9),
    "evidence": "register 17/2026",
}


def known(town, request_id):
    enrol()


def applied(town, request_id):
    enrol()
    requests.apply(town.teller, WISH, **APPLICATION)


def marked(town, request_id):
    applied(town, request_id)
    instant.mark_instant(town.teller, uuid4(), **THIS_WISH)


def failed(town, request_id):
    applied(town, request_id)
    requests.check_request(town.supervisor, uuid4(), **THIS_WISH, failure=CheckFailure.PHOTO)


def checked(town, request_id):
    applied(town, request_id)
    requests.check_request(town.supervisor, uuid4(), **THIS_WISH)


def sent(town, request_id):
    town.order()
    for report in (Report.BATCH, Report.SEND):
        production.report_stage(town.clerk, uuid4(), **ON_CARDS, report=report)


def stored(town, request_id):
    town.order()
    town.receive(CARD)


def offered(town, request_id):
    stored(town, request_id)
    custody.offer_cards(town.teller, uuid4(), **ON_CARDS, taker="teller2")


def recovered(town, request_id):
    stored(town, request_id)
    custody.recover_card(town.teller, uuid4(), **ON_CARD)
    lock.cancel(town.clerk, uuid4(), **ON_CARD, reason=CancelReason.DAMAGE)


def found(town, request_id):
    stored(town, request_id)
    town.hand_over(CARD)
    custody.recover_card(town.teller, uuid4(), **ON_CARD)


def active(town, request_id):
    town.active_card()


def bank_side_lost(town, request_id):
    town.active_card()
    loss.report_bank_loss(town.teller, uuid4(), **ON_CARD)


def pin_worn_out(town, request_id):
    town.active_card()
    for _ in range(10):
        pin.reset_pin(town.teller, uuid4(), **ON_CARD, document=shown())
    pin.record_pin_blocked(town.cashier, uuid4(), **ON_CARD)


def ending(town, request_id):
    town.active_card()
    Card.objects.update(valid_until=timezone.localdate() + timedelta(days=9))


def gone(town, request_id):
    enrol()
    departures.register_departure(town.clerk, GONE, **DEATH)
    Operator.objects.filter(code="supervisor").update(roles=[Role.AUTHORITY_CLERK.value])


def lent(town, request_id):
    applied(town, request_id)
    temporary.issue_temporary_card(town.teller, uuid4(), **SLIP, document=shown())
    TemporaryCard.objects.update(valid_until=timezone.localdate())


def lent_too_long(town, request_id):
    lent(town, request_id)
    TemporaryCard.objects.update(valid_until=timezone.localdate() - timedelta(days=1))


def uncollected(town, request_id):
    stored(town, request_id)
    days_ago(CARD, "receive", 400)


def waiting(town, request_id):
    stored(town, request_id)
    town.hand_over(CARD)
    days_ago(CARD, "hand_over", 40)


def costly(town, request_id):
    known(town, request_id)
    set_region(town.administrator, uuid4(), settings={"first_card_fee_fen": 1_000})


def charged(town, request_id):
    costly(town, request_id)
    fees.register_fee(town.teller, FEE, **FIRST_CARD)


def on_today(rule):
    return {**ON_CARD, "rule": rule, "on": timezone.localdate()}


BACK = {**ON_CARDS, "reason": UndeliverableReason.NOT_COLLECTED, "taker": "clerk"}
CASES = [
    (requests.apply, "teller", known, APPLICATION),
    (requests.apply_for_unit, "clerk", known, UNIT),
    (requests.check_request, "supervisor", applied, THIS_WISH),
    (requests.correct_request, "teller", failed, THIS_WISH),
    (instant.mark_instant, "teller", applied, THIS_WISH),
    (instant.unmark_instant, "teller", marked, THIS_WISH),
    (requests.withdraw_request, "teller", applied, THIS_WISH),
    (fees.register_fee, "teller", costly, FIRST_CARD),
    (fees.pay_fee, "teller", charged, {"fee_id": FEE, "receipt_no": "7"}),
    (fees.withdraw_fee, "teller", charged, {"fee_id": FEE}),
    (production.order_requests, "clerk", checked, {"order_no": "R1", "rows": [row(WISH, CARD)]}),
    (production.report_stage, "clerk", ordered, {**ON_CARDS, "report": Report.BATCH}),
    (production.take_return, "clerk", sent, {"rows": [return_row(CARD)]}),
    (custody.place_card, "teller", stored, {**ON_CARD, "cabinet": "A", "position": "12"}),
    (custody.offer_cards, "teller", stored, {**ON_CARDS, "taker": "teller2"}),
    (custody.take_cards, "second_teller", offered, ON_CARDS),
    (custody.refuse_cards, "second_teller", offered, ON_CARDS),
    (custody.return_stock, "teller", stored, BACK),
    (custody.recover_card, "teller", stored, ON_CARD),
    (custody.scrap_card, "supervisor", recovered, {**ON_CARD, "reason": ScrapReason.RECOVERED}),
    (issue.give_back, "teller", found, {**ON_CARD, "document": shown(), "verdict": Verdict.SAME_PERSON}),
    (orders.order_exchange, "clerk", active, {**ON_CARD, **SUCCESSOR, "reason": ExchangeReason.DAMAGE}),
    (orders.order_renewal, "clerk", ending, {**ON_CARD, **SUCCESSOR}),
    (loss.report_bank_loss, "teller", active, ON_CARD),
    (loss.release_bank_loss, "teller", bank_side_lost, ON_CARD),
    (pin.void_pin, "teller", pin_worn_out, ON_CARD),
    (departures.register_departure, "clerk", known, DEATH),
    (departures.revoke_departure, "supervisor", gone, {"departure_id": GONE}),
    (temporary.issue_temporary_card, "teller", applied, {**SLIP, "document": shown()}),
    (temporary.extend_temporary_card, "teller", lent, SLIP),
    (temporary.return_temporary_card, "teller", lent, SLIP),
    (temporary.lapse_temporary_card, "clock", lent_too_long, SLIP),
    (clock.let_time_pass, "clock", uncollected, on_today(TimeRule.SEAL)),
    (clock.remind, "clock", waiting, on_today(TimeRule.REMIND)),
]
