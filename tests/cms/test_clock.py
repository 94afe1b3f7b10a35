"""What time alone does: each rule when it is due and not before, once a day and card, in pages, and after a kill."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cms.timing import days_ago, the_clock
from cms.town import CERT_NO, REGION, shown
from cms.wishes import ADULT, applied, enrol
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import (
    AuditEntry,
    Card,
    CardEvent,
    Institution,
    Operator,
    Receipt,
    Region,
    Reminder,
    TemporaryCard,
)
from kaguan.cms.progress import open_reminders, progress_record
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.layers import SINCE_EVER, Layer
from kaguan.cms.rules.lifecycle import Application, BankFunction
from kaguan.cms.rules.refusals import (
    DuplicateRequest,
    IllegalTransition,
    NotAllowed,
    NotEligible,
)
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.temporary import TemporaryState
from kaguan.cms.rules.timetable import TimeRule
from kaguan.cms.services.case import Actor
from kaguan.cms.services.clock import let_time_pass, remind
from kaguan.cms.services.clock_run import Due, Refused, due_on, run_day
from kaguan.cms.services.issue import activate
from kaguan.cms.services.lock import lock
from kaguan.cms.services.loss import report_formal_loss, report_temporary_loss
from kaguan.cms.services.orders import NewCard, order_renewal
from kaguan.cms.services.regions import add_version
from kaguan.cms.services.requests import may_have_card
from kaguan.cms.services.set_up import set_region
from kaguan.cms.services.temporary import issue_temporary_card

CARD = "990100001"


def today() -> date:
    return timezone.localdate()


def ran(on: date | None = None, page: int = 500) -> list[Due | Refused]:
    return list(run_day(the_clock(), on or today(), page=page))


def ruled(town, **settings_):
    set_region(town.administrator, uuid4(), settings=settings_)


def waiting_card(town, card_no=CARD, cert_no=CERT_NO):
    town.order(card_no, cert_no)
    town.receive(card_no, cert_no)
    town.hand_over(card_no, cert_no)
    return card_no


def lost_for_a_while(town):
    report_temporary_loss(town.hotline, uuid4(), card_no=town.active_card())


def formally_lost(town):
    report_formal_loss(town.teller, uuid4(), card_no=town.active_card(), document=shown())


def uncollected(town):
    town.order()
    town.receive(CARD)


SCENES = {
    TimeRule.LAPSE: (lost_for_a_while, "report_temporary_loss", {"temporary_loss_days": 3}, Application.NORMAL),
    TimeRule.BECOME_FORMAL: (
        lost_for_a_while,
        "report_temporary_loss",
        {"temporary_loss_days": 3, "temporary_loss_becomes_formal": True},
        Application.FORMAL_LOSS,
    ),
    TimeRule.MATURE: (
        formally_lost,
        "report_formal_loss",
        {"formal_loss_cancels_after_days": 3},
        Application.CANCELLED,
    ),
    TimeRule.SEAL: (uncollected, "receive", {"uncollected_days": 3}, Application.SEALED),
    TimeRule.REMIND: (waiting_card, "hand_over", {"activation_reminder_days": 3}, Application.NOT_ENABLED),
    TimeRule.OVERDUE: (waiting_card, "hand_over", {"activation_overdue_days": 3}, Application.NOT_ENABLED),
}
REMINDERS = {TimeRule.REMIND, TimeRule.OVERDUE}


@pytest.mark.acceptance("S4-33")
@pytest.mark.acceptance("S0-20")
@pytest.mark.parametrize("rule", SCENES)
def test_each_rule_is_due_on_its_day_and_not_before(town, rule):
    scene, event, region, target = SCENES[rule]
    ruled(town, **region)
    scene(town)
    before = Card.objects.get().application
    days_ago(CARD, event, 2)
    assert ran() == []
    days_ago(CARD, event, 3)
    assert ran(today() - timedelta(days=1)) == []
    assert list(due_on(the_clock(), today())) == [Due(rule, CARD)]
    assert Card.objects.get().application == before
    assert ran() == [Due(rule, CARD)]
    assert Card.objects.get().application == target
    assert ran() == []
    assert [row.kind for row in Reminder.objects.all()] == ([rule.value] if rule in REMINDERS else [])


@pytest.mark.parametrize("rule", SCENES)
def test_no_rule_can_be_made_to_run_early(town, rule):
    scene, event, region, _ = SCENES[rule]
    ruled(town, **region)
    scene(town)
    days_ago(CARD, event, 2)
    ask = remind if rule in REMINDERS else let_time_pass
    with pytest.raises(NotEligible, match="stands for 3 days, of which 2 have passed"):
        ask(the_clock(), uuid4(), card_no=CARD, rule=rule, on=today())
    with pytest.raises(NotEligible, match="not come yet"):
        ask(the_clock(), uuid4(), card_no=CARD, rule=rule, on=today() + timedelta(days=1))
    with pytest.raises(NotAllowed, match="let time rules run"):
        ask(town.clerk, uuid4(), card_no=CARD, rule=rule, on=today())


def test_a_day_that_has_not_come_is_only_shown(town):
    lost_for_a_while(town)
    ahead = today() + timedelta(days=10)
    assert list(due_on(the_clock(), ahead)) == [Due(TimeRule.LAPSE, CARD)]
    with pytest.raises(NotEligible, match="not come yet"):
        ran(ahead)
    assert Card.objects.get().application == Application.TEMPORARY_LOSS


def test_what_is_due_is_shown_to_whom_the_clock_is_and_to_nobody_else(town):
    lost_for_a_while(town)
    days_ago(CARD, "report_temporary_loss", 10)
    for nobody in (town.clerk, town.supervisor, town.administrator, town.teller):
        with pytest.raises(NotAllowed, match="no right to let time rules run"):
            due_on(nobody, today())
    for stranger in (Actor("clock", "ICBC-1"), Actor("nobody", "SSB"), Actor("clock", "NOWHERE")):
        with pytest.raises(NotAllowed, match="does not work at"):
            due_on(stranger, today())
    assert AuditEntry.objects.filter(action="look ahead", outcome="NotAllowed").count() == 7
    with pytest.raises(NotAllowed):
        list(run_day(town.clerk, today()))
    assert Card.objects.get().application == Application.TEMPORARY_LOSS
    assert list(due_on(the_clock(), today())) == [Due(TimeRule.LAPSE, CARD)]


@pytest.mark.parametrize("day", [date.min, date(1999, 11, 30), date(3000, 1, 1), date.max])
def test_no_rule_is_counted_from_a_day_outside_all_cards(town, day):
    with pytest.raises(NotEligible, match=r"before the first cards|after the last day"):
        due_on(the_clock(), day)
    assert list(due_on(the_clock(), date(2999, 12, 31))) == []


@pytest.mark.parametrize("lost", [False, True])
def test_validity_ends_the_day_after_the_last_one(town, lost):
    town.active_card()
    if lost:
        report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())
    Card.objects.update(issue_date=date(2016, 1, 5), valid_until=today())
    assert ran() == []
    Card.objects.update(valid_until=today() - timedelta(days=1))
    with pytest.raises(NotEligible, match="has not expired"):
        let_time_pass(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.EXPIRE, on=today() - timedelta(days=1))
    assert ran() == [Due(TimeRule.EXPIRE, CARD)]
    card = Card.objects.get()
    assert (card.application, card.bank_function) == (Application.CANCELLED, BankFunction.CLOSED)
    assert progress_record("01", CERT_NO, {REGION})["progress"] == "ended"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(ages=st.lists(st.integers(-1, 2), min_size=1, max_size=6), page=st.integers(1, 3))
def test_every_card_that_expired_is_found_once_whatever_the_page(town, ages, page):
    Card.objects.update(valid_until=today())
    first = Card.objects.count()
    expired = []
    for number, age in enumerate(ages, start=first):
        card_no = town.order(f"9901{number:05}", f"990101199003{number:06}")
        last_day = today() - timedelta(days=age)
        Card.objects.filter(pk=card_no).update(issue_date=date(2016, 1, 5), valid_until=last_day)
        expired += [card_no] if age > 0 else []
    assert sorted(due.number for due in due_on(the_clock(), today(), page=page)) == expired


def test_what_time_ended_is_renewed_and_not_applied_for_anew(town):
    town.active_card()
    Card.objects.update(issue_date=date(2016, 1, 5), valid_until=today() - timedelta(days=1))
    ran()
    for kind, code in ((RequestKind.NEW, "4"), (RequestKind.RENEWAL, "0")):
        assert may_have_card(town.teller, uuid4(), applicant=ADULT, kind=kind).code == code
    new = NewCard("990100002", "R1", date(2026, 3, 1), date(2036, 3, 1))
    order_renewal(town.clerk, uuid4(), card_no=CARD, new=new)
    assert Card.objects.get(pk=CARD).replaced_by_id == "990100002"
    assert CardEvent.objects.filter(card=CARD, event="renew").count() == 0


def test_a_temporary_card_lapses_after_its_last_day_and_is_still_given_back(town):
    enrol()
    applied(town)
    issue_temporary_card(town.teller, uuid4(), temporary_card_no="T1", document=shown())
    assert list(due_on(the_clock(), today() + timedelta(days=60))) == []
    assert list(due_on(the_clock(), today() + timedelta(days=61))) == [Due(TimeRule.TEMPORARY_CARD, "T1")]
    TemporaryCard.objects.update(valid_until=today() - timedelta(days=1))
    assert ran() == [Due(TimeRule.TEMPORARY_CARD, "T1")]
    assert TemporaryCard.objects.get().state == TemporaryState.LAPSED


@pytest.mark.acceptance("S4-33")
def test_a_holder_is_reminded_once_and_told_when_it_is_overdue(town):
    waiting_card(town)
    days_ago(CARD, "hand_over", 30)
    assert ran() == [Due(TimeRule.REMIND, CARD)]
    with pytest.raises(DuplicateRequest, match="reminded already"):
        remind(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.REMIND, on=today())
    days_ago(CARD, "hand_over", 90)
    assert ran() == [Due(TimeRule.OVERDUE, CARD)]
    assert [row["kind"] for row in open_reminders({REGION})] == ["activation reminder", "activation overdue"]
    assert progress_record("01", CERT_NO, {REGION})["reminders"] == ["activation reminder", "activation overdue"]
    activate(town.teller, uuid4(), card_no=CARD, document=shown())
    assert open_reminders({REGION}) == []
    with pytest.raises(NotEligible, match="does not wait to be activated"):
        remind(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.OVERDUE, on=today())


def test_a_card_that_moved_on_is_left_alone(town):
    lost_for_a_while(town)
    days_ago(CARD, "report_temporary_loss", 10)
    due = list(due_on(the_clock(), today()))
    report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())
    with pytest.raises(IllegalTransition, match="formally reported lost"):
        let_time_pass(the_clock(), uuid4(), card_no=due[0].number, rule=due[0].rule, on=today())


def test_a_card_that_was_collected_meanwhile_is_not_sealed(town):
    uncollected(town)
    days_ago(CARD, "receive", 400)
    (due,) = due_on(the_clock(), today())
    town.hand_over(CARD)
    with pytest.raises(IllegalTransition, match="production state 70"):
        let_time_pass(the_clock(), uuid4(), card_no=CARD, rule=due.rule, on=today())
    with pytest.raises(NotEligible, match="stands for 90 days, of which 0"):
        remind(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.OVERDUE, on=today())


def test_a_rule_needs_something_to_count_from(town):
    town.order()
    with pytest.raises(IllegalTransition, match="production state 00"):
        let_time_pass(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.SEAL, on=today())
    with pytest.raises(IllegalTransition, match="production state 00"):
        remind(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.REMIND, on=today())
    Card.objects.update(application=Application.FORMAL_LOSS)
    with pytest.raises(NotEligible, match="nothing to count the days from"):
        let_time_pass(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.MATURE, on=today())


@pytest.mark.parametrize("rule", TimeRule)
def test_a_rule_either_changes_a_card_or_reminds(town, rule):
    town.order()
    wrong = [let_time_pass] * (rule in REMINDERS) + [remind] * (rule not in REMINDERS)
    if rule is TimeRule.TEMPORARY_CARD:
        wrong = [let_time_pass, remind]
    for ask in wrong:
        with pytest.raises(NotEligible, match="is no rule that"):
            ask(the_clock(), uuid4(), card_no=CARD, rule=rule, on=today())


@pytest.mark.acceptance("S0-20")
def test_each_region_has_its_own_clock_and_rules(town):
    lost_for_a_while(town)
    days_ago(CARD, "report_temporary_loss", 10)
    other = Region.objects.create(code="990200")
    longer = Layer(other.code, SINCE_EVER, {"name": "elsewhere", "temporary_loss_days": 30})
    add_version(longer, by="admin", at=timezone.now())
    elsewhere = Institution.objects.create(code="SSB-2", name="SSB-2", kind="authority", region=other)
    Operator.objects.create(code="clock2", name="clock2", institution=elsewhere, roles=[Role.CLOCK.value])
    second_clock = Actor("clock2", "SSB-2")
    assert list(run_day(second_clock, today())) == []
    Card.objects.update(region=other)
    assert ran() == []
    assert list(due_on(second_clock, today())) == []
    days_ago(CARD, "report_temporary_loss", 30)
    assert list(due_on(second_clock, today())) == [Due(TimeRule.LAPSE, CARD)]


def test_what_is_refused_is_told_and_stops_nothing(town):
    lost_for_a_while(town)
    second = town.active_card("990100002", "990101198811110028", "测试人乙")
    report_temporary_loss(town.hotline, uuid4(), card_no=second)
    for card_no in (CARD, second):
        days_ago(card_no, "report_temporary_loss", 10)
    the_clock()
    Operator.objects.filter(code="clock").update(holder=Card.objects.get(pk=CARD).holder)
    first, then = ran()
    assert isinstance(first, Refused)
    assert (first.due, "own" in first.why) == (Due(TimeRule.LAPSE, CARD), True)
    assert then == Due(TimeRule.LAPSE, second)
    with pytest.raises(NeedsSecondPerson):
        let_time_pass(the_clock(), uuid4(), card_no=CARD, rule=TimeRule.LAPSE, on=today())


def test_a_locked_card_waits_for_nobodys_clock(town):
    lock(town.clerk, uuid4(), card_no=town.active_card(), reason="2")
    assert list(due_on(the_clock(), today() + timedelta(days=3000))) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(killed_after=st.lists(st.integers(0, 4), max_size=3), page=st.integers(1, 4))
def test_a_run_that_is_killed_goes_on_where_it_stopped(town, killed_after, page):
    started = Card.objects.count()
    cards = [f"9901{number:05}" for number in range(started, started + 5)]
    for number, card_no in enumerate(cards):
        cert_no = f"990101199003{started + number:06}"
        waiting_card(town, card_no, cert_no)
        activate(town.teller, uuid4(), card_no=card_no, document=shown(cert_no))
        report_temporary_loss(town.hotline, uuid4(), card_no=card_no)
        days_ago(card_no, "report_temporary_loss", 10)
    done = []
    for steps in killed_after:
        done += itertools.islice(run_day(the_clock(), today(), page=page), steps)
    done += ran(page=page)
    assert done == [Due(TimeRule.LAPSE, card_no) for card_no in cards]
    assert not Card.objects.filter(pk__in=cards).exclude(application=Application.NORMAL).exists()
    assert CardEvent.objects.filter(card__in=cards, event="lapse").count() == 5
    assert Receipt.objects.filter(action="let time pass").count() == Card.objects.count()
    assert ran(page=page) == []
