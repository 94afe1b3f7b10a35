"""Holders at the portal: identity number and initial password, themselves alone, and their card into use."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.evidence import employ
from cms.neighbours import neighbour_at
from cms.timing import days_ago, the_clock
from cms.town import BANK, CERT_NO, NAME, shown
from cms.web import machine
from kaguan.cms.models import (
    Activation,
    AuditEntry,
    BlacklistChange,
    Card,
    Holder,
    HolderCredential,
    Notice,
    Receipt,
    Session,
)
from kaguan.cms.rules.activation import ActivationWay
from kaguan.cms.rules.lifecycle import Application, BankFunction, CancelReason
from kaguan.cms.rules.refusals import IllegalTransition, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.terms import Channel
from kaguan.cms.rules.timetable import TimeRule
from kaguan.cms.services.access import sign_in as door
from kaguan.cms.services.access.holders import choose_password, sign_in_holder
from kaguan.cms.services.access.passwords import give_password
from kaguan.cms.services.access.sessions import actor_of, sign_out
from kaguan.cms.services.activation.online import activate_online, own_record
from kaguan.cms.services.case import Actor
from kaguan.cms.services.clock_run import Due, run_day
from kaguan.cms.services.issue import activate
from kaguan.cms.services.lock import cancel
from kaguan.cms.services.loss import release_loss, report_temporary_loss
from kaguan.cms.services.outbox import claim_due, register_endpoint, take_back_loss
from kaguan.cms.services.people.enrolment import edit_person
from kaguan.cms.services.people.own_cards import report_own_loss
from kaguan.cms.services.set_up import set_region
from kaguan.vault.secret import Secret

CARD, OTHER, PERSONAL_NUMBER = "990100001", "990100002", "990100000000001"
OTHER_CERT_NO = "990101198811110028"
PORTAL, HERE = Actor("portal", "SSB"), "10.0.0.1"
OWN = Secret(b"my own words 22")


@pytest.fixture
def portal(town):
    """The authority's portal; a holder has a card that is not in use."""
    employ(town, "portal", "SSB", Role.PORTAL)
    town.order(CARD)
    town.receive(CARD)
    town.hand_over(CARD)
    set_region(town.administrator, uuid4(), settings={"online_password_change": "suggested"})
    edit_person(town.clerk, uuid4(), holder_id=Holder.objects.get().pk, facts={"personal_number": PERSONAL_NUMBER})
    return town


def enter(password=CARD, cert_no=CERT_NO, source=HERE, at=PORTAL):
    secret = password if isinstance(password, Secret) else Secret(password.encode())
    return sign_in_holder(at, cert_no, secret, source=source)


@pytest.mark.acceptance("S4-27")
@pytest.mark.acceptance("S4-28")
@pytest.mark.acceptance("S4-29")
@pytest.mark.parametrize("initial", [CARD, PERSONAL_NUMBER])
def test_identity_number_and_either_initial_password_lead_to_activation(portal, initial):
    admitted = enter(initial)
    assert (admitted.change_suggested, admitted.change_demanded) == (True, False)
    done = activate_online(PORTAL, uuid4(), token=admitted.token, card_no=CARD)
    assert (done.application, done.way, done.phase) == (Application.NORMAL, ActivationWay.ONLINE, "done")
    assert Activation.objects.get().chip_written_at is None


@pytest.mark.acceptance("S4-29")
def test_a_password_of_ones_own_ends_the_initial_ones(portal):
    token = enter().token
    for initial in (CARD, PERSONAL_NUMBER):
        with pytest.raises(NotEligible, match="initial password is known"):
            choose_password(PORTAL, token, Secret(initial.encode()))
    with pytest.raises(NotEligible, match="10 to 128"):
        choose_password(PORTAL, token, Secret(b"short"))
    choose_password(PORTAL, token, OWN)
    for initial in (CARD, PERSONAL_NUMBER):
        with pytest.raises(NotAllowed):
            enter(initial)
    assert not enter(OWN).change_suggested


@pytest.mark.acceptance("S4-29")
def test_where_the_region_demands_it_the_initial_password_serves_for_changing_it_alone(portal):
    set_region(portal.administrator, uuid4(), settings={"online_password_change": "forced"})
    admitted = enter()
    assert admitted.change_demanded
    for ask in (
        lambda: activate_online(PORTAL, uuid4(), token=admitted.token, card_no=CARD),
        lambda: own_record(PORTAL, uuid4(), token=admitted.token),
    ):
        with pytest.raises(NotAllowed, match="has to be changed first"):
            ask()
    choose_password(PORTAL, admitted.token, OWN)
    assert own_record(PORTAL, uuid4(), token=admitted.token).cards == {CARD: "NOT_ENABLED"}


@pytest.mark.acceptance("S0-18")
def test_a_holder_sees_themselves_alone(portal):
    portal.order(OTHER, OTHER_CERT_NO, "别人")
    token = enter().token
    seen = own_record(PORTAL, uuid4(), token=token)
    assert (seen.person.name, seen.person.cert_no, seen.person.masked) == (NAME, CERT_NO, False)
    assert set(seen.cards) == {CARD}
    for card_no in (OTHER, "990109999"):
        with pytest.raises(NotFound, match=f"you have no card {card_no}"):
            activate_online(PORTAL, uuid4(), token=token, card_no=card_no)
    assert Card.objects.get(pk=OTHER).application == Application.NOT_ENABLED


@pytest.mark.acceptance("S4-28")
def test_the_user_name_is_what_the_region_says(portal):
    changed = {"online_name": "card number", "online_initial_passwords": ["personal number"]}
    set_region(portal.administrator, uuid4(), settings=changed)
    with pytest.raises(NotAllowed):
        enter(PERSONAL_NUMBER, CERT_NO)
    assert enter(PERSONAL_NUMBER, CARD).holder_id == Holder.objects.get().pk
    cancel(portal.clerk, uuid4(), card_no=CARD, reason=CancelReason.LOST)
    with pytest.raises(NotAllowed):
        enter(PERSONAL_NUMBER, CARD)


def lost_by_holder(town, **asked):
    """The holder has reported the card that is in use lost; what it answered."""
    activate(town.teller, uuid4(), card_no=CARD, document=shown())
    return report_own_loss(PORTAL, uuid4(), token=enter().token, card_no=CARD, **asked)


@pytest.mark.acceptance("S4-6")
@pytest.mark.acceptance("S4-7")
@pytest.mark.parametrize("channel", [None, Channel.APP, Channel.WECHAT])
def test_a_holder_reports_their_own_card_lost_and_it_serves_no_more(portal, channel):
    state = lost_by_holder(portal, channel=channel)
    assert (state.application, state.bank_function) == (Application.TEMPORARY_LOSS, BankFunction.ACTIVE)
    assert [(change.card_id, change.cause) for change in BlacklistChange.objects.all()] == [(CARD, "temporary loss")]
    line = AuditEntry.objects.filter(action="report own loss").get()
    assert (line.outcome, line.detail["channel"]) == ("done", channel or Channel.WEBSITE)
    assert line.detail["holder"] == Holder.objects.get().pk
    with pytest.raises(IllegalTransition, match="reported lost for the time being"):
        report_own_loss(PORTAL, uuid4(), token=enter().token, card_no=CARD)
    assert release_loss(portal.teller, uuid4(), card_no=CARD).application == Application.NORMAL


def test_it_lapses_as_a_report_by_phone_and_may_become_formal(portal):
    set_region(portal.administrator, uuid4(), settings={"bank_loss": "together"})
    assert lost_by_holder(portal).bank_function == BankFunction.TEMPORARY_LOSS
    for event in ("report_own_loss", "suspend_with_own_report"):
        days_ago(CARD, event, 10)
    clock, today = the_clock(), timezone.localdate()
    assert {step.rule for step in run_day(clock, today)} == {TimeRule.LAPSE, TimeRule.BANK_LAPSE}
    assert Card.objects.get().bank_function == BankFunction.ACTIVE
    report_own_loss(PORTAL, uuid4(), token=enter().token, card_no=CARD)
    set_region(portal.administrator, uuid4(), settings={"temporary_loss_becomes_formal": True})
    days_ago(CARD, "report_own_loss", 10)
    assert TimeRule.BECOME_FORMAL in {step.rule for step in run_day(clock, today) if isinstance(step, Due)}
    assert Card.objects.get().application == Application.FORMAL_LOSS


def test_a_bank_refuses_the_holders_report_as_any_other(portal):
    register_endpoint(portal.administrator, uuid4(), bank_code=BANK, url="https://bank.example/", key=Secret(bytes(32)))
    lost_by_holder(portal)
    notice = Notice.objects.get()
    assert (notice.event, notice.content["application"]) == ("report_temporary_loss", Application.TEMPORARY_LOSS)
    list(claim_due(timezone.now(), 5))
    taken_back = take_back_loss(portal.hotline, uuid4(), notice_id=notice.notice_id, why="no such account")
    assert (taken_back.application, taken_back.bank_function) == (Application.NORMAL, BankFunction.ACTIVE)


@pytest.mark.acceptance("S0-18")
def test_a_holder_reports_no_card_but_their_own_and_only_where_the_region_takes_it(portal):
    portal.active_card(OTHER, OTHER_CERT_NO, "别人")
    activate(portal.teller, uuid4(), card_no=CARD, document=shown())
    token = enter().token
    for card_no in (OTHER, "990109999"):
        with pytest.raises(NotFound, match=f"you have no card {card_no}"):
            report_own_loss(PORTAL, uuid4(), token=token, card_no=card_no)
    with pytest.raises(NotAllowed, match="no right to serve holders online"):
        report_own_loss(portal.hotline, uuid4(), token=token, card_no=CARD)
    with pytest.raises(NotAllowed, match="no right to report loss"):
        report_temporary_loss(PORTAL, uuid4(), card_no=CARD)
    set_region(portal.administrator, uuid4(), settings={"temporary_loss_channels": ["phone", "app"]})
    with pytest.raises(NotEligible, match="not by website, but by phone, app"):
        report_own_loss(PORTAL, uuid4(), token=token, card_no=CARD)
    with pytest.raises(NotEligible, match="nothing reaches this operator by phone"):
        report_own_loss(PORTAL, uuid4(), token=token, card_no=CARD, channel=Channel.PHONE)
    assert set(Card.objects.values_list("application", flat=True)) == {Application.NORMAL}
    report_own_loss(PORTAL, uuid4(), token=token, card_no=CARD, channel=Channel.APP)


def test_it_is_reported_over_the_web_with_the_portals_and_the_holders_token(portal):
    activate(portal.teller, uuid4(), card_no=CARD, document=shown())
    program, key, path = machine(portal, "portal"), uuid4(), f"/portal/cards/{CARD}/temporary-loss?channel=app"
    session = {"Holder-Session": enter().token.reveal().decode()}
    assert program.post(path, key=key).status_code == 422
    assert program.post(path, key=key, **{"Holder-Session": "A" * 43}).status_code == 403
    assert machine(portal, "hotline").post(path, key=key, **session).status_code == 403
    for _ in range(2):
        assert program.post(path, key=key, **session).json()["application"] == "4"
    assert program.post(path, **session).json()["code"] == "illegal_transition"
    assert Card.objects.get().application == Application.TEMPORARY_LOSS


def test_no_number_that_is_not_in_the_holders_hands_opens_the_door(portal):
    portal.order(OTHER, OTHER_CERT_NO, "别人")
    for cert_no, password in (
        (OTHER_CERT_NO, OTHER),
        (CERT_NO, OTHER),
        (CERT_NO, ""),
        (OTHER_CERT_NO, ""),
        ("990101190001010000", CARD),
    ):
        with pytest.raises(NotAllowed, match="^" + door.WRONG):
            enter(password, cert_no)
    cancel(portal.clerk, uuid4(), card_no=CARD, reason=CancelReason.LOST)
    with pytest.raises(NotAllowed):
        enter(CARD)
    enter(PERSONAL_NUMBER)


def test_guessing_is_locked_by_account_and_by_address(portal):
    for _ in range(6):
        with pytest.raises(NotAllowed):
            enter("990100009")
    with pytest.raises(NotAllowed):
        enter(source="10.0.0.2")
    locked = HolderCredential.objects.get()
    HolderCredential.objects.update(locked_until=locked.locked_until - timedelta(seconds=61))
    enter()
    for number in range(21):
        with pytest.raises(NotAllowed):
            enter(CARD, f"9901011990010100{number:02d}")
    with pytest.raises(NotAllowed):
        enter()
    enter(source="10.0.0.2")


def test_tokens_of_holders_and_operators_are_two_things(portal, settings):
    admitted = enter()
    with pytest.raises(NotAllowed, match="session is over"):
        actor_of(admitted.token)
    give_password(portal.administrator, uuid4(), code="teller", password=Secret(b"given-by-admin-1"))
    door.change_password("teller", Secret(b"given-by-admin-1"), OWN, source=HERE)
    token = door.sign_in("teller", OWN, source=HERE).token
    with pytest.raises(NotAllowed, match="operator's session"):
        own_record(PORTAL, uuid4(), token=token)
    sign_out(admitted.token)
    with pytest.raises(NotAllowed, match="session is over"):
        own_record(PORTAL, uuid4(), token=admitted.token)


def test_another_citys_portal_knows_neither_person_nor_session(portal):
    other = neighbour_at(InstitutionKind.AUTHORITY)
    with pytest.raises(NotAllowed, match="^" + door.WRONG):
        enter(at=other)
    token = enter().token
    for ask in (
        lambda: own_record(other, uuid4(), token=token),
        lambda: activate_online(other, uuid4(), token=token, card_no=CARD),
    ):
        with pytest.raises(NotAllowed, match="another region's portal"):
            ask()


def test_only_a_portal_signs_holders_in_and_one_session_lives(portal):
    for nobody in (portal.teller, Actor("portal", "ICBC-1"), Actor("x", "SSB")):
        with pytest.raises(NotAllowed, match="does not serve holders online"):
            enter(at=nobody)
    first, second = enter(), enter(source="10.0.0.2")
    with pytest.raises(NotAllowed):
        own_record(PORTAL, uuid4(), token=first.token)
    assert own_record(PORTAL, uuid4(), token=second.token).medical_account_fen == 0
    assert Session.objects.filter(ended_at=None).count() == 1


def test_nothing_that_is_written_gives_a_holder_away(portal):
    admitted = enter()
    activate_online(PORTAL, uuid4(), token=admitted.token, card_no=CARD)
    with pytest.raises(NotAllowed):
        enter("guess-1234")
    written = str([list(model.objects.values_list()) for model in (AuditEntry, Receipt, Session, HolderCredential)])
    for word in (CERT_NO, NAME, PERSONAL_NUMBER, "guess-1234", admitted.token.reveal().decode()):
        assert word not in written
        assert word not in repr(admitted)
