"""Two cities in one database: what a card costs there, by when it is made, and who has to agree to another one."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.cities import lost, replaced
from cms.town import BANK, return_row
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, CardFee, CardOrder, Operator, OrderDeadline
from kaguan.cms.rules.applying import ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, CancelReason, ExchangeReason
from kaguan.cms.rules.refusals import AlreadyResolved, DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.approvals.asking import ask_new_card
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.deadlines import overdue_orders
from kaguan.cms.services.fees import look_at_fees, pay_fee, register_fee, withdraw_fee
from kaguan.cms.services.orders import Ending, NewCard, order_exchange, order_renewal
from kaguan.cms.services.production import RequestRow, order_requests
from kaguan.cms.services.requests import Applicant, Wish, apply, check_request
from kaguan.cms.services.stock import receive_stock

pytestmark = pytest.mark.slow


def paid(city, kind=FeeKind.LOST, reason=""):
    fee_id = uuid4()
    register_fee(city.teller, fee_id, **city.person, kind=kind, reason=reason)
    return pay_fee(city.teller, uuid4(), fee_id=fee_id, receipt_no="R7")


def test_a_lost_card_is_followed_when_its_fee_is_paid_and_two_agree(easy, strict):
    for city in (easy, strict):
        lost(city)
    assert replaced(easy).production == "00"
    with pytest.raises(NotEligible, match="costs nothing here"):
        register_fee(easy.teller, uuid4(), cert_type="01", cert_no=easy.cert_no, kind=FeeKind.FIRST)
    with pytest.raises(NeedsSecondPerson, match="make card again needs a second person"):
        replaced(strict)
    asked = {"card_no": strict.first_card, "ending": Ending.REPLACE, "new": strict.successor, "reason": "lost"}
    with pytest.raises(NotEligible, match=r"the fee of 20\.00 yuan for a card in place of a lost one is not paid"):
        ask_new_card(strict.clerk, uuid4(), **asked)
    fee = paid(strict)
    assert (fee.amount_fen, fee.state) == (2_000, "paid")
    asked_id = uuid4()
    ask_new_card(strict.clerk, asked_id, **asked)
    both = [Role.AUTHORITY_CLERK.value, Role.AUTHORITY_SUPERVISOR.value]
    Operator.objects.filter(pk=strict.clerk.operator).update(roles=both)
    with pytest.raises(NeedsSecondPerson):
        approve(strict.clerk, uuid4(), approval_id=asked_id)
    assert Card.objects.get(pk=strict.first_card).application == Application.FORMAL_LOSS
    assert approve(strict.supervisor, uuid4(), approval_id=asked_id).approved
    old, new = (Card.objects.get(pk=number) for number in (strict.first_card, strict.successor.card_no))
    assert (old.application, old.replaced_by_id, new.production) == ("9", new.pk, "00")
    assert CardEvent.objects.get(card=new, event="order").detail["approver"] == strict.supervisor.operator
    spent = CardFee.objects.get(holder=new.holder)
    assert (spent.state, spent.card_id) == ("spent", new.pk)
    with pytest.raises(AlreadyResolved, match="is spent already"):
        withdraw_fee(strict.teller, uuid4(), fee_id=spent.pk)


@pytest.mark.acceptance("S4-43")
def test_bad_quality_is_free_within_the_warranty(strict):
    strict.says(approvals_needed=[])
    strict.active()
    asked = {"card_no": strict.first_card, "new": strict.successor}
    Card.objects.update(issue_date=timezone.localdate() - timedelta(days=366))
    for reason in (ExchangeReason.DAMAGE, ExchangeReason.QUALITY):
        with pytest.raises(NotEligible, match="in place of an exchanged one is not paid"):
            order_exchange(strict.clerk, uuid4(), reason=reason, **asked)
    Card.objects.update(issue_date=timezone.localdate() - timedelta(days=365))
    assert order_exchange(strict.clerk, uuid4(), reason=ExchangeReason.QUALITY, **asked).production == "00"


def test_a_first_card_costs_something_in_one_city(easy, strict):
    strict.says(first_card_fee_fen=1_500)
    assert easy.ordered()
    with pytest.raises(NotEligible, match=r"row 1: the fee of 15\.00 yuan for a first card"):
        strict.ordered()
    strict.says(first_card_fee_fen=0)
    strict.ordered()
    assert [one.state for one in CardFee.objects.all()] == []


def test_a_fee_is_open_once_and_dies_once(easy, strict):
    lost(strict)
    fee_id = uuid4()
    register_fee(strict.teller, fee_id, **strict.person, kind=FeeKind.LOST)
    with pytest.raises(DuplicateRequest, match="is due already"):
        register_fee(strict.teller, uuid4(), **strict.person, kind=FeeKind.LOST)
    with pytest.raises(NotEligible, match="receipt"):
        pay_fee(strict.teller, uuid4(), fee_id=fee_id, receipt_no=" ")
    with pytest.raises(NotFound, match="no fee"):
        pay_fee(easy.teller, uuid4(), fee_id=fee_id, receipt_no="R7")
    pay_fee(strict.teller, uuid4(), fee_id=fee_id, receipt_no="R7")
    with pytest.raises(AlreadyResolved, match="paid already"):
        pay_fee(strict.teller, uuid4(), fee_id=fee_id, receipt_no="R8")
    withdraw_fee(strict.teller, uuid4(), fee_id=fee_id)
    strict.says(approvals_needed=[])
    with pytest.raises(NotEligible, match="is not paid"):
        replaced(strict)
    (fee,) = look_at_fees(strict.teller, uuid4(), **strict.person)
    assert (fee.state, fee.receipt_no) == ("withdrawn", "R7")


def test_no_single_person_takes_another_card_from_wish_to_hand(strict):
    """From a request it is the one who checked; made on the spot it is the one who approved."""
    strict.says(replacement_fee_fen=0)
    lost(strict)
    person, request_id = Applicant("01", strict.cert_no, strict.holder().name), uuid4()
    wish = Wish(RequestKind.REPLACEMENT, BANK, reason=CancelReason.LOST.value)
    there = Presence(ApplicationWay.PERSON, document=strict.document, verdict=Verdict.SAME_PERSON)
    apply(strict.clerk, request_id, applicant=person, wish=wish, presence=there)
    Operator.objects.filter(pk=strict.clerk.operator).update(
        roles=[Role.AUTHORITY_CLERK.value, Role.AUTHORITY_SUPERVISOR.value]
    )
    with pytest.raises(NeedsSecondPerson, match="another one has to check"):
        check_request(strict.clerk, uuid4(), card_request_id=request_id)
    check_request(strict.supervisor, uuid4(), card_request_id=request_id)
    new = strict.successor
    rows = [RequestRow(request_id, new.card_no, new.issue_date, new.valid_until)]
    assert order_requests(strict.clerk, uuid4(), order_no="R9", rows=rows).card_count == 1
    receive_stock(strict.teller, uuid4(), rows=[return_row(new.card_no, strict.cert_no)._replace(bank_card_no="")])
    CardOrder.objects.filter(pk="R9").update(ordered_by=strict.teller.operator)
    with pytest.raises(NeedsSecondPerson, match="another one has to hand it over"):
        strict.deliver(new.card_no)


def test_late_orders_are_told_by_each_citys_days(easy, strict):
    for city in (easy, strict):
        city.ordered()
    deadlines = {one.order.order_no: one.due_at for one in OrderDeadline.objects.select_related("order")}
    ours, theirs = (deadlines[f"B{city.first_card}"] for city in (easy, strict))
    assert ours < theirs
    assert overdue_orders(easy.clerk, uuid4()) == []
    OrderDeadline.objects.update(due_at=timezone.now())
    for city in (easy, strict):
        (late,) = overdue_orders(city.clerk, uuid4())
        assert (late.order_no, late.urgency, late.cards_awaited) == (f"B{city.first_card}", "normal", 1)
    easy.says(approvals_needed=[])
    Card.objects.update(application=Application.CANCELLED)
    assert overdue_orders(easy.clerk, uuid4()) == []


def test_an_urgent_order_is_due_sooner_and_an_instant_one_at_once(easy):
    easy.ordered(urgency=Urgency.INSTANT)
    due = OrderDeadline.objects.get().due_at
    assert timezone.now() < due <= timezone.now() + timedelta(minutes=60)
    lost_card = Card.objects.get()
    Card.objects.update(application=Application.FORMAL_LOSS)
    replaced(easy, urgency=Urgency.URGENT)
    urgent = OrderDeadline.objects.get(order__kind="replacement")
    assert urgent.urgency == "urgent"
    assert urgent.due_at > due
    assert lost_card.card_no == easy.first_card


@pytest.mark.acceptance("S4-34")
def test_from_the_go_live_day_older_cards_are_renewed_at_once(easy, strict):
    """The one went over to the national card in 2019, the other has not."""
    for city in (easy, strict):
        city.active()
    Card.objects.update(issue_date=timezone.localdate().replace(year=2018, day=1))
    far = {"card_no": strict.first_card, "new": strict.successor}
    assert order_renewal(easy.clerk, uuid4(), card_no=easy.first_card, new=easy.successor).production == "00"
    strict.says(approvals_needed=[], go_live_on=(timezone.localdate() + timedelta(days=1)).isoformat())
    with pytest.raises(NotEligible, match="in the last 180"):
        order_renewal(strict.clerk, uuid4(), **far)
    strict.says(go_live_on=timezone.localdate().isoformat())
    assert order_renewal(strict.clerk, uuid4(), **far).production == "00"


def test_the_bank_changes_by_exchange_alone(easy):
    lost(easy)
    new = NewCard("990100008", "S8", easy.successor.issue_date, easy.successor.valid_until, bank_code="95599")
    with pytest.raises(NotEligible, match="bank changes only"):
        ask_new_card(easy.clerk, uuid4(), card_no=easy.first_card, ending=Ending.REPLACE, new=new, reason="x")
    with pytest.raises(NotEligible, match="apply for a card"):
        ask_new_card(easy.clerk, uuid4(), card_no=easy.first_card, ending=Ending.APPLY_AGAIN, new=new, reason="x")
