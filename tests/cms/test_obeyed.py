"""Two cities in one database that decide otherwise: every setting is obeyed, in the one and in the other."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.cities import replaced
from cms.timing import days_ago
from cms.town import BANK
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, TemporaryCard
from kaguan.cms.rules.applying import ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.choices import CardFunction, Demand, Paper
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import SOCIAL_SECURITY_CARD, Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import PIN, Application, BankFunction, CancelReason, ExchangeReason, Pin
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotEligible, NotFound
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.temporary import TemporaryState
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.approvals.asking import ask_cancellation
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.case import Actor
from kaguan.cms.services.chip.pin import begin_pin_reset, begin_pin_unblock
from kaguan.cms.services.clock_run import run_day
from kaguan.cms.services.custody import recover_card
from kaguan.cms.services.departures import register_departure
from kaguan.cms.services.issue import activate
from kaguan.cms.services.lock import cancel
from kaguan.cms.services.loss import lapse_loss, release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.pin import record_pin_blocked, reset_pin
from kaguan.cms.services.requests import Applicant, Wish, apply
from kaguan.cms.services.set_up import register_operator
from kaguan.cms.services.temporary import (
    issue_temporary_card,
    lapse_temporary_card,
    return_temporary_card,
    use_temporary_card,
)

pytestmark = pytest.mark.slow


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


@pytest.mark.acceptance("S0-20")
@pytest.mark.parametrize("step", [begin_pin_reset, begin_pin_unblock])
def test_a_chips_pin_is_given_anew_or_its_tries_back_as_a_reset(easy, strict, step):
    strict.says(pin_reset_channels=["service centre", "portable machine"], pin_reset_documents=["bank card"])
    for city in (easy, strict):
        record_pin_blocked(city.teller, uuid4(), card_no=city.active())

    def unblocked(city, **asked):
        return step(city.teller, uuid4(), card_no=city.first_card, document=city.document, **asked)

    with pytest.raises(NotEligible, match="not by portable machine, but by service centre, bank outlet"):
        unblocked(easy, channel=Channel.PORTABLE_MACHINE)
    assert unblocked(easy).pin in {Pin.INITIAL, Pin.SET}
    with pytest.raises(NotEligible, match="not by bank outlet, but by service centre, portable machine"):
        unblocked(strict, papers=[Paper.BANK_CARD])
    with pytest.raises(NotEligible, match="this has to be shown too: bank card"):
        unblocked(strict, channel=Channel.PORTABLE_MACHINE)
    assert Card.objects.get(pk=strict.first_card).pin == Pin.BLOCKED
    unblocked(strict, papers=[Paper.BANK_CARD], channel=Channel.PORTABLE_MACHINE)
    event = CardEvent.objects.filter(card=strict.first_card, axis=PIN.name).latest("pk")
    assert (event.from_state, event.event) == (Pin.BLOCKED, "reset" if step is begin_pin_reset else "unblock_initial")


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
    papers = {"papers": [Paper.BANK_CARD]}
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


@pytest.mark.acceptance("S4-1")
@pytest.mark.acceptance("S4-2")
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
