"""Two cities in one database that decide otherwise: every setting is obeyed, in the one and in the other."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.cities import easy_city, strict_city
from cms.timing import days_ago
from cms.town import BANK, return_row
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, CardFee, CardOrder, Operator, OrderDeadline, TemporaryCard
from kaguan.cms.rules.applying import ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.choices import CardFunction, Demand, DocumentCopy
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import SOCIAL_SECURITY_CARD, Document
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, BankFunction, CancelReason, ExchangeReason
from kaguan.cms.rules.refusals import AlreadyResolved, DuplicateRequest, IllegalTransition, NotEligible, NotFound
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.temporary import TemporaryState
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.approvals.asking import ask_cancellation, ask_new_card
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.case import Actor
from kaguan.cms.services.clock_run import run_day
from kaguan.cms.services.custody import recover_card
from kaguan.cms.services.deadlines import overdue_orders
from kaguan.cms.services.departures import register_departure
from kaguan.cms.services.fees import look_at_fees, pay_fee, register_fee, withdraw_fee
from kaguan.cms.services.issue import activate
from kaguan.cms.services.lock import cancel
from kaguan.cms.services.loss import lapse_loss, release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.orders import Ending, NewCard, order_exchange, order_renewal, order_replacement
from kaguan.cms.services.pin import reset_pin
from kaguan.cms.services.production import RequestRow, order_requests
from kaguan.cms.services.requests import Applicant, Wish, apply, check_request
from kaguan.cms.services.set_up import register_operator
from kaguan.cms.services.stock import receive_stock
from kaguan.cms.services.temporary import (
    issue_temporary_card,
    lapse_temporary_card,
    return_temporary_card,
    use_temporary_card,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def easy(town):
    return easy_city(town)


@pytest.fixture
def strict(town):
    return strict_city(town)


def lost(city):
    card_no = city.active()
    report_formal_loss(city.teller, uuid4(), card_no=card_no, document=city.document)
    return card_no


def replaced(city, **asked):
    new = city.successor
    days = {"issue_date": new.issue_date, "valid_until": new.valid_until}
    return order_replacement(
        city.clerk, uuid4(), card_no=city.first_card, new_card_no=new.card_no, order_no=new.order_no, **days, **asked
    )


def paid(city, kind=FeeKind.LOST, reason=""):
    fee_id = uuid4()
    register_fee(city.teller, fee_id, **city.person, kind=kind, reason=reason)
    return pay_fee(city.teller, uuid4(), fee_id=fee_id, receipt_no="R7")


def clock_of(city):
    code = f"clock-{city.first_card}"
    register_operator(
        city.administrator, uuid4(), code=code, name=code, institution=city.administrator.institution,
        roles=[Role.CLOCK],
    )  # fmt: skip
    return Actor(code, city.administrator.institution)


@pytest.mark.acceptance("S0-20")
def test_a_loss_takes_the_bank_side_along_or_not(easy, strict):
    ours = report_temporary_loss(easy.teller, uuid4(), card_no=easy.active())
    theirs = report_temporary_loss(strict.teller, uuid4(), card_no=strict.active())
    assert (ours.bank_function, theirs.bank_function) == (BankFunction.TEMPORARY_LOSS, BankFunction.ACTIVE)
    ours, theirs = (
        report_formal_loss(city.teller, uuid4(), card_no=city.first_card, document=city.document)
        for city in (easy, strict)
    )
    assert (ours.bank_function, theirs.bank_function) == (BankFunction.LOST, BankFunction.ACTIVE)
    strict.says(bank_loss="together")
    released = release_loss(strict.clerk, uuid4(), card_no=strict.first_card, document=strict.document)
    assert released.bank_function == BankFunction.ACTIVE
    afar = report_temporary_loss(strict.hotline, uuid4(), card_no=strict.first_card)
    assert afar.bank_function == BankFunction.TEMPORARY_LOSS
    found = release_loss(strict.hotline, uuid4(), card_no=strict.first_card)
    assert (found.application, found.bank_function) == (Application.NORMAL, BankFunction.ACTIVE)


def test_the_bank_side_of_a_temporary_loss_lapses_by_days_of_its_own(easy):
    card_no = easy.active()
    report_temporary_loss(easy.teller, uuid4(), card_no=card_no)
    clock, today = clock_of(easy), timezone.localdate()
    days_ago(card_no, "suspend_with_card", 4)
    assert list(run_day(clock, today)) == []
    days_ago(card_no, "suspend_with_card", 5)
    (done,) = run_day(clock, today)
    card = Card.objects.get(pk=card_no)
    assert (done.rule, card.application, card.bank_function) == ("bank side's temporary loss lapses", "4", "1")


def test_a_temporary_loss_lapses_by_working_days_where_they_count(easy, strict):
    today = timezone.localdate()
    for city in (easy, strict):
        report_temporary_loss(city.hotline, uuid4(), card_no=city.active())
        days_ago(city.first_card, "report_temporary_loss", 7)
    with pytest.raises(NotEligible, match="stands for 10 days, of which 7"):
        lapse_loss(easy.hotline, uuid4(), card_no=easy.first_card)
    assert [step.number for step in run_day(clock_of(strict), today)] == [strict.first_card]
    assert list(run_day(clock_of(easy), today)) == []


@pytest.mark.parametrize(
    ("setting", "ask"),
    [
        ("temporary_loss_channels", lambda city, **how: report_temporary_loss(city.hotline, uuid4(), **how)),
        ("release_loss_channels", lambda city, **how: release_loss(city.hotline, uuid4(), **how)),
    ],
)
def test_what_a_city_takes_by_phone_another_does_not(easy, strict, setting, ask):
    strict.says(**{setting: ["bank outlet", "app"]})
    for city in (easy, strict):
        city.active()
        if setting == "release_loss_channels":
            report_temporary_loss(city.teller, uuid4(), card_no=city.first_card)
    with pytest.raises(NotEligible, match="nothing reaches this operator by app"):
        ask(easy, card_no=easy.first_card, channel=Channel.APP)
    assert ask(easy, card_no=easy.first_card)
    with pytest.raises(NotEligible, match=r"in Haizhou \(sample\) not by phone, but by bank outlet, app"):
        ask(strict, card_no=strict.first_card)


def test_counters_and_their_channels(easy, strict):
    strict.says(formal_loss_channels=["bank outlet"], pin_reset_channels=["service centre"], replace_channels=["app"])
    for city in (easy, strict):
        city.active()
    assert reset_pin(easy.teller, uuid4(), card_no=easy.first_card, document=easy.document).pin == "1"
    with pytest.raises(NotEligible, match=r"reset refused: .* not by bank outlet"):
        reset_pin(strict.teller, uuid4(), card_no=strict.first_card, document=strict.document)
    with pytest.raises(NotEligible, match="not by service centre, but by bank outlet"):
        report_formal_loss(strict.clerk, uuid4(), card_no=strict.first_card, document=strict.document)
    for city in (easy, strict):
        report_formal_loss(city.teller, uuid4(), card_no=city.first_card, document=city.document)
    assert replaced(easy)
    with pytest.raises(NotEligible, match=r"replace refused: .* not by service centre"):
        replaced(strict)


@pytest.mark.acceptance("S4-30")
def test_a_card_is_applied_for_online_where_the_city_says_so(easy, strict):
    strict.says(apply_channels=["service centre", "bank outlet"])
    for city in (easy, strict):
        city.ordered()
        Card.objects.filter(pk=city.first_card).update(application=Application.SEALED)

    def online(city, channel=None):
        presence = Presence(ApplicationWay.ONLINE, verdict=Verdict.SAME_PERSON, channel=channel)
        person = Applicant("01", city.cert_no, city.holder().name)
        return apply(city.clerk, uuid4(), applicant=person, wish=Wish(RequestKind.NEW, BANK), presence=presence)

    assert online(easy, Channel.APP).stage == "01"
    for channel in (None, Channel.APP):
        with pytest.raises(NotEligible, match=r"not by (website|app), but by service centre"):
            online(strict, channel)


def test_what_has_to_be_shown_besides(easy, strict):
    also = ["identity document", "bank card"]
    strict.says(activate_documents=also, formal_loss_documents=also, pin_reset_documents=also)
    papers = {"papers": [DocumentCopy.BANK_CARD]}
    for city, shown in ((easy, {}), (strict, papers)):
        card_no = city.in_stock()
        city.deliver(card_no)
        for step in (activate, reset_pin, report_formal_loss):
            asked = {"card_no": card_no, "document": city.document}
            if shown:
                with pytest.raises(NotEligible, match=r"in Haizhou \(sample\) this has to be shown too: bank card"):
                    step(city.teller, uuid4(), **asked)
            step(city.teller, uuid4(), **asked, **shown)
        assert Card.objects.get(pk=card_no).application == Application.FORMAL_LOSS


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


def lent(city, number):
    city.ordered()
    return issue_temporary_card(city.teller, uuid4(), temporary_card_no=number, document=city.document)


@pytest.mark.acceptance("S1-37")
def test_a_temporary_card_serves_for_what_its_city_says(easy, strict):
    strict.says(temporary_card_functions=["query"])
    lent(easy, "T1")
    lent(strict, "T2")
    for city, number, serves, not_for in (
        (easy, "T1", CardFunction.MEDICAL_SETTLEMENT, CardFunction.QUERY),
        (strict, "T2", CardFunction.QUERY, CardFunction.MEDICAL_SETTLEMENT),
    ):
        used = use_temporary_card(city.teller, uuid4(), temporary_card_no=number, function=serves)
        assert used.holder_id == city.holder().pk
        with pytest.raises(NotEligible, match=f"does not serve for {not_for.value}"):
            use_temporary_card(city.teller, uuid4(), temporary_card_no=number, function=not_for)
    with pytest.raises(NotFound):
        use_temporary_card(easy.teller, uuid4(), temporary_card_no="T2", function=CardFunction.QUERY)
    TemporaryCard.objects.update(valid_until=timezone.localdate() - timedelta(days=1))
    with pytest.raises(NotEligible, match="was valid until"):
        use_temporary_card(strict.teller, uuid4(), temporary_card_no="T2", function=CardFunction.QUERY)
    return_temporary_card(strict.teller, uuid4(), temporary_card_no="T2")
    with pytest.raises(IllegalTransition, match="given back"):
        use_temporary_card(strict.teller, uuid4(), temporary_card_no="T2", function=CardFunction.QUERY)


def test_a_temporary_card_is_given_back_where_it_has_to_be(easy, strict):
    strict.says(temporary_card_returned=False)
    for city, number in ((easy, "T1"), (strict, "T2")):
        city.in_stock()
        issue_temporary_card(city.teller, uuid4(), temporary_card_no=number, document=city.document)
    with pytest.raises(DuplicateRequest, match="not been given back"):
        issue_temporary_card(strict.teller, uuid4(), temporary_card_no="T3", document=strict.document)
    TemporaryCard.objects.filter(pk="T2").update(valid_until=timezone.localdate() - timedelta(days=1))
    lapse_temporary_card(clock_of(strict), uuid4(), temporary_card_no="T2")
    issue_temporary_card(strict.teller, uuid4(), temporary_card_no="T3", document=strict.document)
    with pytest.raises(NotEligible, match="temporary card T1 has to be given back first"):
        easy.deliver(easy.first_card)
    strict.deliver(strict.first_card)
    return_temporary_card(easy.teller, uuid4(), temporary_card_no="T1")
    easy.deliver(easy.first_card)
    assert TemporaryCard.objects.get(pk="T1").state == TemporaryState.RETURNED


@pytest.mark.parametrize("reason", CancelReason)
def test_a_card_ends_when_all_is_there_that_the_city_demands(easy, strict, reason):
    every = [demand.value for demand in Demand]
    strict.says(**{f"cancel_demands_{reason.name.lower()}": every})
    for city in (easy, strict):
        city.active()
    assert cancel(easy.clerk, uuid4(), card_no=easy.first_card, reason=reason).application == "9"
    with pytest.raises(NeedsSecondPerson, match="a second person approves this"):
        cancel(strict.clerk, uuid4(), card_no=strict.first_card, reason=reason)
    strict.says(**{f"cancel_demands_{reason.name.lower()}": [one for one in every if one != Demand.SECOND_PERSON]})
    met = [Met(demand, "letter 7") for demand in (Demand.PROOF, Demand.ACCOUNTS_CLOSED, Demand.AGENCY_TOLD)]
    with pytest.raises(NotEligible, match="this is missing: card recovered, agency told"):
        cancel(strict.clerk, uuid4(), card_no=strict.first_card, reason=reason, met=met[:2])
    recover_card(strict.teller, uuid4(), card_no=strict.first_card)
    assert cancel(strict.clerk, uuid4(), card_no=strict.first_card, reason=reason, met=met).application == "9"
    event = CardEvent.objects.get(card=strict.first_card, axis="application", event="cancel")
    assert event.detail["met"] == {"proof": "letter 7", "accounts closed": "letter 7", "agency told": "letter 7"}


def test_a_second_person_that_a_reason_demands_approves(strict):
    strict.says(cancel_demands_other=["proof", "second person"])
    strict.active()
    asked_id, met = uuid4(), [Met(Demand.PROOF, "letter 7")]
    asked = {"card_no": strict.first_card, "code": CancelReason.OTHER, "reason": "own wish"}
    with pytest.raises(NotEligible, match="missing: proof"):
        ask_cancellation(strict.clerk, uuid4(), **asked)
    ask_cancellation(strict.clerk, asked_id, **asked, met=met)
    approve(strict.supervisor, uuid4(), approval_id=asked_id)
    assert Card.objects.get(pk=strict.first_card).application == Application.CANCELLED


def test_a_death_ends_cards_at_once_and_says_what_is_still_to_do(easy, strict):
    told = {"kind": DepartureKind.DEAD, "happened_on": timezone.localdate(), "evidence": "register 7"}
    for city, still in ((easy, ""), (strict, "card recovered, accounts closed, agency told")):
        city.active()
        gone = register_departure(city.clerk, uuid4(), **city.person, **told)
        assert (gone.cards_ended, gone.demands_open) == (1, still)


@pytest.mark.acceptance("S0-20")
def test_the_card_stands_for_the_identity_document_where_the_city_says_so(easy, strict):
    strict.says(card_proves_identity=True, approvals_needed=[])
    for city in (easy, strict):
        city.active()

    def exchange(city):
        by_card = Document(SOCIAL_SECURITY_CARD, city.first_card, original=True)
        there = Presence(ApplicationWay.PERSON, document=by_card, verdict=Verdict.SAME_PERSON)
        person = Applicant("01", city.cert_no, city.holder().name)
        wish = Wish(RequestKind.EXCHANGE, BANK, reason=ExchangeReason.DAMAGE.value)
        return apply(city.teller, uuid4(), applicant=person, wish=wish, presence=there)

    with pytest.raises(NotEligible, match="own original document"):
        exchange(easy)
    Card.objects.filter(pk=strict.first_card).update(application=Application.LOCKED)
    with pytest.raises(NotEligible, match="own original document"):
        exchange(strict)
    Card.objects.filter(pk=strict.first_card).update(application=Application.NORMAL)
    assert exchange(strict).stage == "01"


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
