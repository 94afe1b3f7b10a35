"""What takes the place of a card and what ends it: exchange, renewal, departure, temporary cards, separate losses."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.timing import the_clock
from cms.town import BANK, CERT_NO, OTHER_BANK, REGION, copied, shown
from cms.wishes import ADULT, NEW, applied, enrol, in_person, ordered
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.models import Card, CardEvent, CardRequest, Departure, Operator, Region, TemporaryCard
from kaguan.cms.progress import progress_record
from kaguan.cms.rules.applying import EXCHANGE_REASON_OF, Damage, RequestKind
from kaguan.cms.rules.departures import REASON_OF, DepartureKind
from kaguan.cms.rules.lifecycle import Application, BankFunction, ExchangeReason, Pin
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    DuplicateRequest,
    IllegalTransition,
    MayNotHaveCard,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.temporary import TemporaryState
from kaguan.cms.services.departures import register_departure, revoke_departure
from kaguan.cms.services.issue import activate
from kaguan.cms.services.lock import cancel, lock
from kaguan.cms.services.loss import (
    confirm_blocked,
    release_bank_loss,
    report_bank_loss,
    report_formal_loss,
    report_temporary_loss,
)
from kaguan.cms.services.orders import NewCard, order_exchange, order_renewal
from kaguan.cms.services.pin import record_pin_blocked, reset_pin, void_pin
from kaguan.cms.services.set_up import set_region
from kaguan.cms.services.temporary import (
    extend_temporary_card,
    issue_temporary_card,
    lapse_temporary_card,
    return_temporary_card,
)

OLD, NEXT = "990100001", "990100002"
SUCCESSOR = NewCard(NEXT, "R1", date(2026, 3, 1), date(2036, 3, 1))
SLIP = "T990100001"


@pytest.fixture
def card(town):
    return town.active_card(OLD)


def exchange(town, reason=ExchangeReason.DAMAGE, new=SUCCESSOR, card_no=OLD):
    return order_exchange(town.clerk, uuid4(), card_no=card_no, reason=reason, new=new)


def expire_soon(days=100):
    Card.objects.filter(pk=OLD).update(
        issue_date=date(2016, 1, 5), valid_until=timezone.localdate() + timedelta(days=days)
    )


@pytest.mark.acceptance("S4-43")
@pytest.mark.parametrize("damage", Damage)
def test_a_damaged_card_is_dead_before_the_new_one_lives(town, card, damage):
    town.credit()
    town.load(card, 5_000)
    new = exchange(town, EXCHANGE_REASON_OF[damage])
    old = Card.objects.get(pk=card)
    assert (old.application, old.bank_function, old.replaced_by.card_no) == ("9", "9", NEXT)
    assert (new.production, new.application, new.pin) == (Production.ORDERED, Application.NOT_ENABLED, Pin.INITIAL)
    fresh = Card.objects.get(pk=NEXT)
    assert (fresh.holder, fresh.bank_code, fresh.region) == (old.holder, old.bank_code, old.region)
    assert balance(purse_account(card)) == 5_000
    town.receive(NEXT)
    town.hand_over(NEXT)
    assert activate(town.teller, uuid4(), card_no=NEXT, document=shown()).application == Application.NORMAL
    alive = Card.objects.exclude(application=Application.CANCELLED)
    assert [survivor.card_no for survivor in alive] == [NEXT]


def test_an_exchange_refuses_in_order(town, card):
    with pytest.raises(NotFound):
        exchange(town, card_no="990109999")
    with pytest.raises(NotEligible, match="bank changes only"):
        exchange(town, new=replace(SUCCESSOR, bank_code=OTHER_BANK))
    with pytest.raises(NotEligible, match="is none of 01 QUALITY"):
        exchange(town, reason="")
    with pytest.raises(NotEligible, match="none of the banks"):
        exchange(town, ExchangeReason.BANK_CHANGED, replace(SUCCESSOR, bank_code="00000"))
    with pytest.raises(NotEligible, match="at most 10 years"):
        exchange(town, new=replace(SUCCESSOR, valid_until=date(2037, 3, 1)))
    with pytest.raises(DuplicateRequest, match="card number"):
        exchange(town, new=replace(SUCCESSOR, card_no=OLD))
    with pytest.raises(DuplicateRequest, match="order"):
        exchange(town, new=replace(SUCCESSOR, order_no=f"B{OLD}"))
    assert Card.objects.get().application == Application.NORMAL
    lock(town.clerk, uuid4(), card_no=card, reason="2")
    with pytest.raises(IllegalTransition, match="locked"):
        exchange(town)


def test_the_bank_changes_by_exchange(town, card):
    exchange(town, ExchangeReason.BANK_CHANGED, replace(SUCCESSOR, bank_code=OTHER_BANK))
    assert Card.objects.get(pk=NEXT).bank_code == OTHER_BANK
    with pytest.raises(DuplicateRequest, match=f"was replaced already, by {NEXT}"):
        exchange(town, new=replace(SUCCESSOR, card_no="990100003", order_no="R2"))


@pytest.mark.parametrize("left_days", [-5, 0, 180])
def test_a_card_is_renewed_near_its_end(town, card, left_days):
    expire_soon(left_days)
    assert order_renewal(town.clerk, uuid4(), card_no=card, new=SUCCESSOR).card_no == NEXT
    assert Card.objects.get(pk=card).application == Application.CANCELLED


def test_a_card_is_not_renewed_too_early(town, card):
    set_region(town.administrator, uuid4(), settings={"go_live_on": "never"})
    expire_soon(181)
    with pytest.raises(NotEligible, match="in the last 180"):
        order_renewal(town.clerk, uuid4(), card_no=card, new=SUCCESSOR)


def test_a_replacement_is_applied_for_checked_and_ordered(town, card):
    lost = replace(NEW, kind=RequestKind.REPLACEMENT, reason="3")
    with pytest.raises(IllegalTransition, match="replace refused"):
        applied(town, wish=lost)
    report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    with pytest.raises(NotEligible, match="is none of"):
        applied(town, wish=replace(lost, reason="01"))
    ordered(town, NEXT, wish=lost)
    assert Card.objects.get(pk=card).replaced_by_id == NEXT
    assert Card.objects.get(pk=NEXT).order.kind == "replacement"
    assert CardEvent.objects.get(card=card, event="replace").reason == "3"
    assert progress_record("01", CERT_NO, {REGION})["progress"] == "making"


def test_an_exchange_is_applied_for_and_the_old_card_lives_until_the_order(town, card):
    request = applied(town, wish=replace(NEW, kind=RequestKind.EXCHANGE, reason=ExchangeReason.QUALITY))
    assert Card.objects.get(pk=card).application == Application.NORMAL
    assert CardRequest.objects.get(pk=request).replaces_id == card


@pytest.mark.parametrize("kind", DepartureKind)
def test_a_departure_ends_everything_at_once(town, card, kind):
    enrolled = Card.objects.get(pk=card).holder
    gone = depart(town, kind)
    assert (gone.holder_id, gone.cards_ended) == (enrolled.pk, 1)
    old = Card.objects.get(pk=card)
    assert (old.application, old.bank_function) == (Application.CANCELLED, BankFunction.CLOSED)
    assert CardEvent.objects.get(card=card, event="cancel").reason == REASON_OF[kind]
    with pytest.raises(MayNotHaveCard, match=r"^4: "):
        applied(town)
    with pytest.raises(NotEligible, match=f"registered as {kind}"):
        exchange(town)
    with pytest.raises(DuplicateRequest):
        depart(town, kind)


def depart(town, kind=DepartureKind.DEAD, **changes):
    asked = {"cert_type": "01", "cert_no": CERT_NO, "happened_on": date(2026, 1, 9), "evidence": "register 17/2026"}
    return register_departure(town.clerk, uuid4(), kind=kind, **(asked | changes))


def test_a_departure_withdraws_requests_and_temporary_cards(town):
    enrol()
    applied(town)
    issue_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP, document=shown())
    gone = depart(town)
    assert (gone.cards_ended, gone.requests_ended, gone.temporary_cards_ended) == (0, 1, 1)
    assert CardRequest.objects.get().stage == Production.WITHDRAWN
    assert TemporaryCard.objects.get().state == TemporaryState.LAPSED
    return_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP)
    with pytest.raises(NotEligible, match="dead or gone"):
        issue_temporary_card(town.teller, uuid4(), temporary_card_no="T2", document=shown())


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize(
    ("change", "refusal", "complaint"),
    [
        ({"cert_no": "990101190001010019"}, NotFound, "no person"),
        ({"evidence": " "}, NotEligible, "evidence"),
        ({"happened_on": date(2099, 1, 1)}, NotEligible, "not come yet"),
    ],
)
def test_a_departure_needs_a_person_a_day_and_evidence(town, change, refusal, complaint):
    with pytest.raises(refusal, match=complaint):
        depart(town, **change)
    assert not Departure.objects.exists()


@pytest.mark.usefixtures("card")
def test_a_mistaken_departure_is_revoked_by_somebody_else(town):
    departure_id = depart(town).departure_id
    with pytest.raises(NeedsSecondPerson):
        revoke_departure(town.clerk, uuid4(), departure_id=departure_id)
    with pytest.raises(NotFound):
        revoke_departure(town.clerk, uuid4(), departure_id=uuid4())
    Operator.objects.create(code="clerk2", name="c", institution_id="SSB", roles=["authority clerk"])
    second = replace(town.clerk, operator="clerk2")
    revoke_departure(second, uuid4(), departure_id=departure_id)
    with pytest.raises(AlreadyResolved):
        revoke_departure(second, uuid4(), departure_id=departure_id)
    assert Card.objects.get().application == Application.CANCELLED
    applied(town)
    depart(town)


def lend(town, number=SLIP, document=None):
    return issue_temporary_card(town.teller, uuid4(), temporary_card_no=number, document=document or shown())


@pytest.mark.acceptance("S1-37")
def test_a_temporary_card_bridges_the_wait(town):
    holder = enrol()
    with pytest.raises(NotEligible, match="no card is on its way"):
        lend(town)
    applied(town)
    with pytest.raises(NotEligible, match="not a copy"):
        lend(town, document=copied())
    with pytest.raises(NotFound):
        lend(town, document=shown("990101190001010019"))
    lent = lend(town)
    today = timezone.localdate()
    assert lent.valid_until == (today + timedelta(days=60)).isoformat()
    assert progress_record("01", CERT_NO, {REGION})["temporary_card"] == SLIP
    with pytest.raises(DuplicateRequest, match="is used already"):
        lend(town)
    with pytest.raises(DuplicateRequest, match="not been given back"):
        lend(town, "T2")
    with pytest.raises(NotEligible, match="beyond"):
        extend_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP)
    with pytest.raises(NotEligible, match="is valid until"):
        lapse_temporary_card(the_clock(), uuid4(), temporary_card_no=SLIP)
    returned = return_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP)
    assert returned.state == TemporaryState.RETURNED
    with pytest.raises(IllegalTransition, match="given back"):
        return_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP)
    with pytest.raises(NotFound, match="no temporary card"):
        return_temporary_card(town.teller, uuid4(), temporary_card_no="T3")
    TemporaryCard.objects.update(region=Region.objects.create(code="990200"))
    with pytest.raises(NotFound, match="no temporary card"):
        return_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP)
    Operator.objects.filter(code="teller").update(holder=holder)
    with pytest.raises(NeedsSecondPerson):
        lend(town, "T2")


def test_a_temporary_card_is_extended_so_far_and_no_further(town):
    enrol()
    applied(town)
    lend(town)
    today = timezone.localdate()

    def extended(issued_days_ago, left_days):
        TemporaryCard.objects.update(
            issued_on=today - timedelta(days=issued_days_ago), valid_until=today + timedelta(days=left_days)
        )
        return extend_temporary_card(town.teller, uuid4(), temporary_card_no=SLIP).valid_until

    assert extended(50, 10) == (today + timedelta(days=60)).isoformat()
    assert extended(150, 10) == (today + timedelta(days=33)).isoformat()
    with pytest.raises(NotEligible, match="beyond"):
        extended(175, 10)
    with pytest.raises(NotEligible, match="was valid until"):
        extended(61, -1)


def test_who_has_a_card_gets_no_temporary_one(town, card):
    with pytest.raises(NotEligible, match="has a card in use"):
        lend(town)
    report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    exchange_kind = replace(NEW, kind=RequestKind.REPLACEMENT, reason="3")
    applied(town, wish=exchange_kind)
    holder = Card.objects.get(pk=card).holder
    holder.region = Region.objects.create(code="990200")
    holder.save()
    with pytest.raises(NotFound, match="no person"):
        lend(town)
    holder.region_id = "990100"
    holder.save()
    lend(town)


def test_the_two_sides_of_a_card_are_lost_separately(town, card):
    with pytest.raises(NotEligible, match=f"belongs to bank {BANK}"):
        report_bank_loss(town.other_bank_teller, uuid4(), card_no=card)
    lost = report_bank_loss(town.teller, uuid4(), card_no=card)
    assert (lost.application, lost.bank_function) == (Application.NORMAL, BankFunction.LOST)
    with pytest.raises(IllegalTransition, match="reported lost"):
        report_bank_loss(town.teller, uuid4(), card_no=card)
    assert report_temporary_loss(town.hotline, uuid4(), card_no=card).bank_function == BankFunction.LOST
    found = release_bank_loss(town.teller, uuid4(), card_no=card)
    assert (found.application, found.bank_function) == (Application.TEMPORARY_LOSS, BankFunction.ACTIVE)
    with pytest.raises(IllegalTransition, match="is active"):
        release_bank_loss(town.teller, uuid4(), card_no=card)


def test_a_pin_that_was_reset_too_often_is_void(town, card):
    set_region(town.administrator, uuid4(), settings={"pin_resets_allowed": 1})
    with pytest.raises(IllegalTransition):
        void_pin(town.teller, uuid4(), card_no=card)
    record_pin_blocked(town.cashier, uuid4(), card_no=card)
    with pytest.raises(NotEligible, match="can still be reset"):
        void_pin(town.teller, uuid4(), card_no=card)
    reset_pin(town.teller, uuid4(), card_no=card, document=shown())
    record_pin_blocked(town.cashier, uuid4(), card_no=card)
    assert void_pin(town.teller, uuid4(), card_no=card).pin == Pin.VOID
    with pytest.raises(IllegalTransition, match="for good"):
        reset_pin(town.teller, uuid4(), card_no=card, document=shown())


def test_a_cancelled_card_is_not_exchanged(town, card):
    cancel(town.clerk, uuid4(), card_no=card, reason="6")
    confirm_blocked(town.clerk, uuid4(), card_no=card, how="reader")
    with pytest.raises(IllegalTransition, match="cancelled"):
        exchange(town)
    assert applied(town, ADULT, presence=in_person())
