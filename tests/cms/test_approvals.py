"""What two people decide: corrections, merges, purges, and what a region adds; the second is never the first."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from cms.crowd import citizen_number, enrolled, portrait
from cms.neighbours import neighbour_at
from cms.town import CERT_NO, NAME, Town, shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import balance, personal_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import (
    Approval,
    ApprovalDecision,
    AuditEntry,
    Card,
    Guardian,
    Holder,
    HolderChange,
    Merge,
    Operator,
    Region,
)
from kaguan.cms.rules.approvals import ALWAYS, Action
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import Application, CancelReason, LockReason
from kaguan.cms.rules.personal import Relation
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    DuplicateRequest,
    NeedsReconciliation,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.approvals import asking, deeds
from kaguan.cms.services.approvals.deciding import approve, open_approvals, reject
from kaguan.cms.services.case import Actor
from kaguan.cms.services.load import begin_load
from kaguan.cms.services.lock import cancel, lock, unlock
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.people.guardians import register_guardian
from kaguan.cms.services.people.photos import take_photo
from kaguan.cms.services.set_up import register_operator, set_region

BORN = date(1990, 3, 7)
WRONG, RIGHT = citizen_number(BORN, 1), citizen_number(BORN, 3)
ON_TILL = {"terminal_no": "990100000001", "terminal_time": date(2026, 2, 3)}


def ask_correction(town, holder_id, by=None, **wanted):
    """The id of a correction that waits."""
    approval_id = uuid4()
    asking.ask_correction(by or town.clerk, approval_id, holder_id=holder_id, wanted=wanted, reason="typed wrongly")
    return approval_id


def employed(town: Town, code: str, *roles: Role, holder: int | None = None) -> Actor:
    """Somebody more at the authority."""
    register_operator(town.administrator, uuid4(), code=code, name=code, institution="SSB", roles=roles)
    Operator.objects.filter(pk=code).update(holder=holder)
    return Actor(code, "SSB")


def test_every_action_has_its_deed_and_everybody_asks_for_it():
    assert set(deeds.DEEDS) == set(Action)
    assert set(Action) > ALWAYS


def test_a_name_is_corrected_by_two_people_and_the_history_names_the_approval(town):
    holder_id = enrolled(town, "测试人已", BORN, 1)
    approval_id = ask_correction(town, holder_id, name="测试人己", cert_no=RIGHT)
    assert Holder.objects.get(pk=holder_id).name == "测试人已"
    (waiting,) = open_approvals(town.supervisor, uuid4())
    assert (waiting.approval_id, waiting.action, waiting.asked_by) == (str(approval_id), "correct person", "clerk")
    assert approve(town.supervisor, uuid4(), approval_id=approval_id).approved
    holder = Holder.objects.get(pk=holder_id)
    assert (holder.name, holder.cert_no) == ("测试人己", RIGHT)
    changes = HolderChange.objects.filter(approval=approval_id).order_by("fact")
    assert [(change.fact, change.before) for change in changes] == [("cert_no", WRONG), ("name", "测试人已")]
    assert {change.operator for change in changes} == {"clerk"}
    decision = ApprovalDecision.objects.get()
    assert (decision.decided_by, decision.approved) == ("supervisor", True)
    assert open_approvals(town.supervisor, uuid4()) == []
    assert "测试人" not in str(list(AuditEntry.objects.values_list()))


def test_a_corrected_number_corrects_the_birth_date_that_it_tells(town):
    holder_id = enrolled(town, "甲", BORN, 1)
    approval_id = ask_correction(town, holder_id, cert_no=citizen_number(date(1991, 3, 7), 4))
    approve(town.supervisor, uuid4(), approval_id=approval_id)
    assert facts_of(Holder.objects.get(pk=holder_id)) == {"birth_date": "1991-03-07", "sex": "2"}


def test_whoever_asked_is_not_the_second_person_under_any_login_nor_is_whom_it_concerns(town):
    both = [Role.AUTHORITY_CLERK, Role.AUTHORITY_SUPERVISOR]
    human, concerned = enrolled(town, "甲", BORN, 5), enrolled(town, "乙", BORN, 7)
    first = employed(town, "both", *both, holder=human)
    second_login = employed(town, "both-again", *both, holder=human)
    in_person = employed(town, "in-person", *both, holder=concerned)
    approval_id = ask_correction(town, concerned, by=first, name="丙")
    for nobody in (first, second_login, in_person):
        with pytest.raises(NeedsSecondPerson):
            approve(nobody, uuid4(), approval_id=approval_id)
        with pytest.raises(NeedsSecondPerson):
            reject(nobody, uuid4(), approval_id=approval_id, why="no")
    with pytest.raises(NeedsSecondPerson):
        ask_correction(town, concerned, by=in_person, name="丁")
    with pytest.raises(NotAllowed):
        approve(town.clerk, uuid4(), approval_id=approval_id)
    assert not ApprovalDecision.objects.exists()
    approve(town.supervisor, uuid4(), approval_id=approval_id)


def test_a_request_is_decided_once_in_time_and_by_its_own_city(town):
    holder_id = enrolled(town, "甲", BORN, 1)
    late, gone, rejected = (ask_correction(town, holder_id, name=name) for name in "乙丙丁")
    Approval.objects.filter(pk=late).update(expires_at=Approval.objects.get(pk=late).at)
    with pytest.raises(NotEligible, match="expired"):
        approve(town.supervisor, uuid4(), approval_id=late)
    with pytest.raises(NotEligible, match="give a reason"):
        reject(town.supervisor, uuid4(), approval_id=rejected, why=" ")
    assert not reject(town.supervisor, uuid4(), approval_id=rejected, why="the register says otherwise").approved
    for decide in (approve, lambda *who, **what: reject(*who, **what, why="again")):
        with pytest.raises(AlreadyResolved):
            decide(town.supervisor, uuid4(), approval_id=rejected)
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    for approval_id in (gone, uuid4()):
        with pytest.raises(NotFound, match=f"no request for approval {approval_id} is on the books"):
            approve(neighbour, uuid4(), approval_id=approval_id)
    assert open_approvals(neighbour, uuid4()) == []
    Operator.objects.filter(pk="clerk").update(active=False)
    with pytest.raises(NotAllowed, match="does not work here any more"):
        approve(town.supervisor, uuid4(), approval_id=gone)
    assert Holder.objects.get(pk=holder_id).name == "甲"


def test_what_changed_meanwhile_is_looked_at_again_and_nothing_is_decided(town):
    holder_id = enrolled(town, "甲", BORN, 1)
    approval_id = ask_correction(town, holder_id, cert_no=RIGHT)
    enrolled(town, "乙", BORN, 3)
    with pytest.raises(DuplicateRequest, match="merge the two"):
        approve(town.supervisor, uuid4(), approval_id=approval_id)
    assert not ApprovalDecision.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({}, "give at least one"),
        ({"phone": "1"}, "nothing else"),
        ({"name": "甲"}, "already"),
        ({"name": " "}, "name"),
        ({"cert_no": WRONG[:-1] + "Y"}, "check character"),
    ],
)
def test_what_cannot_be_corrected_is_not_asked_for(town, wanted, complaint):
    holder_id = enrolled(town, "甲", BORN, 1)
    with pytest.raises(NotEligible, match=complaint):
        ask_correction(town, holder_id, **wanted)
    with pytest.raises(NotEligible, match="reason"):
        asking.ask_correction(town.clerk, uuid4(), holder_id=holder_id, wanted={"name": "乙"}, reason=" ")
    assert not Approval.objects.exists()


def test_nobody_is_corrected_while_their_card_is_made(town):
    town.order()
    holder_id = Holder.objects.get().pk
    with pytest.raises(NotEligible, match="is being made"):
        ask_correction(town, holder_id, name="乙")
    town.receive("990100001")
    ask_correction(town, holder_id, name="乙")


@pytest.mark.acceptance("S4-48")
def test_two_persons_who_are_one_are_merged_with_card_money_and_facts(town):
    town.active_card()
    town.credit()
    double, survivor = Holder.objects.get().pk, enrolled(town, NAME, BORN, 3, phone="19900000000")
    account_fen = balance(personal_account(double))
    assert account_fen > 0
    approval_id = uuid4()
    asking.ask_merge(town.clerk, approval_id, merged=double, survivor=survivor, reason="one person, two numbers")
    assert Card.objects.get().holder_id == double
    approve(town.supervisor, uuid4(), approval_id=approval_id)
    assert Card.objects.get().holder_id == survivor
    assert (balance(personal_account(double)), balance(personal_account(survivor))) == (0, account_fen)
    verify_books()
    report_temporary_loss(town.hotline, uuid4(), card_no="990100001")
    town.credit(month=date(2026, 2, 1))
    assert balance(personal_account(survivor)) > account_fen
    assert balance(personal_account(double)) == 0
    assert Merge.objects.get().survivor.pk == survivor


def test_whom_a_merge_would_tear_is_not_merged(town):
    town.active_card()
    town.credit()
    double, survivor = Holder.objects.get().pk, enrolled(town, NAME, BORN, 3)

    def ask(merged=double, into=survivor):
        asking.ask_merge(town.clerk, uuid4(), merged=merged, survivor=into, reason="one person")

    with pytest.raises(NotEligible, match="one person already"):
        ask(into=double)
    begin_load(
        town.teller, uuid4(), card_no="990100001", amount_fen=100, purse_before_fen=0, online_sequence=0, **ON_TILL
    )
    with pytest.raises(NeedsReconciliation, match="on its way"):
        ask()
    town.order("990100002", RIGHT, NAME)
    with pytest.raises(NotEligible, match="both have a card"):
        ask()
    Region.objects.create(code="990300")
    Holder.objects.filter(pk=survivor).update(region="990300")
    with pytest.raises(NotFound):
        ask()
    assert not Merge.objects.exists()


def test_a_merge_brings_guardians_once(town):
    born = date.today() - timedelta(days=8 * 366)
    first, second = enrolled(town, "童", born, 1), enrolled(town, "童", born, 3)
    for ward in (first, second):
        mother = Document("01", citizen_number(BORN, 4), original=True)
        register_guardian(town.clerk, uuid4(), holder_id=ward, relation=Relation.MOTHER, name="母", document=mother)
    approval_id = uuid4()
    asking.ask_merge(town.clerk, approval_id, merged=first, survivor=second, reason="one child")
    approve(town.supervisor, uuid4(), approval_id=approval_id)
    assert Guardian.objects.get(ended_at=None).ward.pk == second


def whole_database():
    """Every value of every table but the audit log, as one text."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name.startswith("cms_")]
        found = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - the database's own names
            found += [" | ".join(map(str, row)) for row in cursor.fetchall()]
    return "\n".join(found)


def test_a_purge_leaves_nobody_behind(town):
    name, phone = "将忘之人", "19977777777"
    holder_id = enrolled(town, name, BORN, 9, phone=phone)
    take_photo(town.clerk, uuid4(), holder_id=holder_id, image=portrait())
    approve(town.supervisor, uuid4(), approval_id=ask_correction(town, holder_id, name=name + "乙"))
    number = citizen_number(BORN, 9)
    assert all(word in whole_database() for word in (name, phone, number))
    approval_id = uuid4()
    asking.ask_purge(town.clerk, approval_id, holder_id=holder_id, reason="ten years after the death")
    approve(town.supervisor, uuid4(), approval_id=approval_id)
    left = whole_database()
    escaped = json.dumps(name).strip('"')  # as JSON columns have it
    assert [word for word in (name, escaped, phone, number) if word in left] == []
    assert Holder.objects.get(pk=holder_id).name == "purged"


def test_nobody_is_purged_with_card_money_or_work(town):
    town.active_card()
    town.credit()
    holder_id = Holder.objects.get().pk

    def ask():
        asking.ask_purge(town.clerk, uuid4(), holder_id=holder_id, reason="asked for")

    with pytest.raises(NotEligible, match="not cancelled"):
        ask()
    Card.objects.update(application=Application.CANCELLED)
    with pytest.raises(NotEligible, match="fen: pay them out first"):
        ask()
    working = enrolled(town, "乙", BORN, 3)
    Operator.objects.filter(pk="hotline").update(holder=working)
    with pytest.raises(NotEligible, match="works with the system"):
        asking.ask_purge(town.clerk, uuid4(), holder_id=working, reason="asked for")
    assert Holder.objects.get(pk=holder_id).cert_no == CERT_NO


def test_a_region_says_what_else_needs_two(town):
    card_no = town.active_card()
    needed = {"approvals_needed": [Action.RELEASE_FORMAL_LOSS, Action.UNLOCK, Action.CANCEL]}
    set_region(town.administrator, uuid4(), settings={"formal_loss_can_be_released": True, **needed})

    def second(ask, by, **what):
        approval_id = uuid4()
        ask(by, approval_id, card_no=card_no, reason="found again", **what)
        before = Card.objects.get().application
        assert before == Card.objects.get().application
        approve(town.supervisor, uuid4(), approval_id=approval_id)
        return Card.objects.get().application

    report_temporary_loss(town.hotline, uuid4(), card_no=card_no)
    assert release_loss(town.hotline, uuid4(), card_no=card_no).application == "1"
    report_formal_loss(town.teller, uuid4(), card_no=card_no, document=shown())
    with pytest.raises(NeedsSecondPerson, match="release formal loss"):
        release_loss(town.teller, uuid4(), card_no=card_no, document=shown())
    assert second(asking.ask_release, town.teller, document=shown()) == Application.NORMAL
    lock(town.clerk, uuid4(), card_no=card_no, reason=LockReason.OTHER)
    with pytest.raises(NeedsSecondPerson):
        unlock(town.clerk, uuid4(), card_no=card_no)
    assert second(asking.ask_unlock, town.clerk) == Application.NORMAL
    with pytest.raises(NeedsSecondPerson):
        cancel(town.clerk, uuid4(), card_no=card_no, reason=CancelReason.DEATH)
    assert second(asking.ask_cancellation, town.clerk, code=CancelReason.DEATH) == Application.CANCELLED


@pytest.mark.acceptance("S0-20")
def test_a_formal_loss_is_taken_back_by_two_in_the_ways_of_the_region(town):
    card_no, needed = town.active_card(), [Action.RELEASE_FORMAL_LOSS]
    report_formal_loss(town.teller, uuid4(), card_no=card_no, document=shown())
    ways = {"formal_loss_can_be_released": True, "formal_loss_channels": ["portable machine"]}
    set_region(town.administrator, uuid4(), settings={**ways, "approvals_needed": needed})
    approval_id, found = uuid4(), {"card_no": card_no, "document": shown(), "reason": "found again"}
    with pytest.raises(NotEligible, match="not by bank outlet, but by portable machine"):
        asking.ask_release(town.teller, uuid4(), **found)
    asking.ask_release(town.teller, approval_id, **found, channel=Channel.PORTABLE_MACHINE)
    approve(town.supervisor, uuid4(), approval_id=approval_id)
    assert Card.objects.get().application == Application.NORMAL
    assert AuditEntry.objects.filter(action="approve").latest("sequence").detail["channel"] == "portable machine"


def test_asking_changes_nothing_but_the_request(town):
    town.active_card()
    lock(town.clerk, uuid4(), card_no="990100001", reason=LockReason.OTHER)
    before = whole_database()
    before_rows = set(before.splitlines())
    asking.ask_unlock(town.clerk, uuid4(), card_no="990100001", reason="over")
    assert Card.objects.get().application == Application.LOCKED
    assert before_rows < set(whole_database().splitlines())


def test_decisions_are_append_only(town):
    approval_id = ask_correction(town, enrolled(town, "甲", BORN, 1), name="乙")
    reject(town.supervisor, uuid4(), approval_id=approval_id, why="no")
    for change in ({"approved": True}, None):
        rows = ApprovalDecision.objects.filter(pk=approval_id)
        spoil = partial(rows.update, **change) if change else rows.delete
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            spoil()
