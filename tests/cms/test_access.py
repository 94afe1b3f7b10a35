"""Operators sign in: wrong ones wait longer and longer, approvers bring a second factor, and the day ends."""

from __future__ import annotations

import base64
from datetime import timedelta
from uuid import uuid4

import pyotp
import pytest
from django.contrib.auth.hashers import make_password
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cms.neighbours import neighbour_at
from kaguan.apdu.errors import InputError, NeedsSecondPerson
from kaguan.cms.canonical import canonical
from kaguan.cms.models import (
    AuditEntry,
    Credential,
    DayClose,
    FormerPassword,
    Operator,
    Receipt,
    Session,
    SourceFailures,
)
from kaguan.cms.rules.passwords import check_new_password, locked_for
from kaguan.cms.rules.refusals import DuplicateRequest, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services.access import sign_in as door
from kaguan.cms.services.access.day import close_day, reopen_day
from kaguan.cms.services.access.passwords import give_password, unlock_account
from kaguan.cms.services.access.second_factor import enrol_second_factor
from kaguan.cms.services.access.sessions import actor_of, sign_out
from kaguan.cms.services.case import Actor
from kaguan.cms.services.set_up import set_region
from kaguan.vault.secret import Secret

FIRST, OWN, NEXT = (Secret(text) for text in (b"given-by-admin-1", b"my own words 22", b"other words 333"))
WRONG = Secret(b"not this one 99")
HERE, THERE = "10.0.0.1", "10.0.0.2"
SEED = Secret(bytes(range(20)))
KEY = "a key that lasts as long as the database"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.SECOND_FACTOR_SECRET = KEY


@pytest.fixture
def office(town):
    """The teller has a password of their own."""
    have_password(town, "teller")
    return town


def have_password(town, code, own=OWN):
    give_password(town.administrator, uuid4(), code=code, password=FIRST)
    door.change_password(code, FIRST, own, source=HERE)


def enter(code="teller", password=OWN, source=HERE, second_factor=""):
    return door.sign_in(code, password, source=source, second_factor=second_factor)


def later(**span):
    """Everything that was, was so much earlier."""
    moved = timedelta(**span)
    for model, columns in (
        (Session, ("begun_at", "seen_at")),
        (Credential, ("changed_at", "locked_until")),
        (SourceFailures, ("locked_until",)),
    ):
        for row in model.objects.all():
            for column in columns:
                if getattr(row, column) is not None:
                    model.objects.filter(pk=row.pk).update(**{column: getattr(row, column) - moved})


def test_whoever_signs_in_is_the_actor_until_they_leave(office):
    admitted = enter()
    assert admitted.actor == Actor("teller", "ICBC-1") == actor_of(admitted.token)
    kept = str(list(Session.objects.values_list()))
    assert admitted.token.reveal().decode() not in kept + repr(admitted)
    sign_out(admitted.token)
    for token in (admitted.token, Secret(b""), Secret(b"no token at all")):
        with pytest.raises(NotAllowed, match="session is over"):
            actor_of(token)


def test_a_given_password_is_changed_first_and_passwords_age(town):
    give_password(town.administrator, uuid4(), code="teller", password=FIRST)
    with pytest.raises(NotEligible, match="change it first"):
        enter(password=FIRST)
    door.change_password("teller", FIRST, OWN, source=HERE)
    enter()
    later(days=91)
    with pytest.raises(NotEligible, match="too old"):
        enter()
    door.change_password("teller", OWN, NEXT, source=HERE)
    enter(password=NEXT)


def test_no_password_comes_back_soon(office):
    set_region(office.administrator, uuid4(), settings={"passwords_remembered": 2})
    with pytest.raises(NotEligible, match="one of the last 2"):
        door.change_password("teller", OWN, OWN, source=HERE)
    door.change_password("teller", OWN, NEXT, source=HERE)
    with pytest.raises(NotEligible, match="one of the last 2"):
        door.change_password("teller", NEXT, OWN, source=HERE)
    door.change_password("teller", NEXT, WRONG, source=HERE)
    door.change_password("teller", WRONG, OWN, source=HERE)
    assert FormerPassword.objects.count() == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("short1", "10 to 128"),
        ("1" * 129, "10 to 128"),
        ("aaaabbbb1111"[:10] * 1 + "aa", "different"),
        ("1234567890123", "digits and letters"),
        ("onlylettershere", "digits and letters"),
        ("xx-TELLER-12345", "neither name nor number"),
    ],
)
def test_what_no_password_may_be(text, complaint):
    with pytest.raises(NotEligible, match=complaint) as refusal:
        check_new_password(text, names=("teller", ""))
    assert text not in str(refusal.value)
    check_new_password("my own words 22", names=("teller", ""))


@given(st.integers(0, 200), st.integers(0, 10), st.integers(1, 600))
def test_the_wait_doubles_and_never_shrinks(failures, allowed, seconds):
    wait = locked_for(failures, allowed=allowed, first_seconds=seconds)
    more = locked_for(failures + 1, allowed=allowed, first_seconds=seconds)
    assert wait <= more <= timedelta(days=1)
    assert (wait == timedelta(0)) == (failures <= allowed)
    if failures > allowed and more < timedelta(days=1):
        assert more == 2 * wait


def test_wrong_ones_are_told_alike_and_locked_longer_and_longer(office):
    told = set()
    for code, password in (("teller", WRONG), ("nobody", OWN), ("clerk", OWN)):
        with pytest.raises(NotAllowed) as refusal:
            enter(code, password)
        told.add(str(refusal.value))
    assert told == {door.WRONG}
    enter()
    for _ in range(6):
        with pytest.raises(NotAllowed):
            enter(password=WRONG)
    with pytest.raises(NotAllowed):
        enter()
    with pytest.raises(NotAllowed):
        enter(source=THERE)
    later(seconds=61)
    with pytest.raises(NotAllowed):
        enter(password=WRONG)
    later(seconds=61)
    with pytest.raises(NotAllowed):
        enter()
    later(seconds=61)
    enter()
    assert Credential.objects.get(pk="teller").failures == 0


def test_one_address_does_not_try_everybody(office):
    for number in range(21):
        with pytest.raises(NotAllowed):
            enter(f"nobody-{number}", WRONG)
    with pytest.raises(NotAllowed):
        enter()
    enter(source=THERE)
    later(seconds=61)
    enter()
    assert SourceFailures.objects.get(source=HERE).failures == 0


def test_an_outlet_head_unlocks_tellers_of_the_outlet_alone(office):
    Operator.objects.filter(pk="teller2").update(roles=[Role.OUTLET_HEAD], level=Level.OUTLET)
    for _ in range(6):
        with pytest.raises(NotAllowed):
            enter(password=WRONG)
    elsewhere = neighbour_at(InstitutionKind.OUTLET)
    for head in (elsewhere, office.administrator):
        with pytest.raises(NotFound, match="no operator 'teller9'"):
            unlock_account(head, uuid4(), code="teller9")
    with pytest.raises(NotFound, match="no operator 'teller'"):
        unlock_account(elsewhere, uuid4(), code="teller")
    with pytest.raises(NotFound):
        unlock_account(office.second_teller, uuid4(), code="clerk")
    with pytest.raises(NotFound, match="no password yet"):
        unlock_account(office.administrator, uuid4(), code="clerk")
    unlock_account(office.second_teller, uuid4(), code="teller")
    enter(source=THERE)
    with pytest.raises(NeedsSecondPerson):
        unlock_account(office.second_teller, uuid4(), code="teller2")


def test_one_login_at_a_time(office):
    first, second = enter(), enter(source=THERE)
    with pytest.raises(NotAllowed):
        actor_of(first.token)
    assert actor_of(second.token).operator == "teller"
    assert list(Session.objects.exclude(ended_at=None).values_list("why_ended", flat=True)) == ["signed in elsewhere"]


@pytest.mark.parametrize(("rest", "lives"), [(14, True), (16, False)])
def test_a_session_that_rests_is_over(office, rest, lives):
    token = enter().token
    later(minutes=rest)
    if lives:
        assert actor_of(token)
    else:
        with pytest.raises(NotAllowed):
            actor_of(token)


def test_no_session_outlives_its_hours_however_busy(office):
    token = enter().token
    for _ in range(46):
        later(minutes=13)
        actor_of(token)
    later(minutes=13)
    with pytest.raises(NotAllowed):
        actor_of(token)


def test_who_left_or_got_a_new_password_is_signed_out(office):
    token = enter().token
    Operator.objects.filter(pk="teller").update(active=False)
    with pytest.raises(NotAllowed):
        actor_of(token)
    with pytest.raises(NotAllowed, match="wrong"):
        enter()
    Operator.objects.filter(pk="teller").update(active=True)
    assert actor_of(token)
    give_password(office.administrator, uuid4(), code="teller", password=NEXT)
    with pytest.raises(NotAllowed):
        actor_of(token)
    with pytest.raises(NeedsSecondPerson):
        give_password(office.administrator, uuid4(), code="admin", password=NEXT)
    with pytest.raises(NotFound):
        give_password(neighbour_at(InstitutionKind.AUTHORITY), uuid4(), code="teller", password=WRONG)


def code_now(shift=0):
    return pyotp.TOTP(base64.b32encode(SEED.reveal()).decode()).at(timezone.now() + timedelta(seconds=30 * shift))


def test_an_approver_brings_a_second_factor_and_each_code_serves_once(town):
    have_password(town, "supervisor")
    with pytest.raises(NotAllowed, match="second factor"):
        enter("supervisor")
    enrol_second_factor(town.administrator, uuid4(), code="supervisor", secret=SEED)
    for wrong in ("", "000000", "１２３４５６", code_now(5), code_now() + "0"):
        with pytest.raises(NotAllowed, match="wrong"):
            enter("supervisor", second_factor=wrong)
    code = code_now()
    enter("supervisor", second_factor=code)
    with pytest.raises(NotAllowed, match="wrong"):
        enter("supervisor", second_factor=code)
    assert SEED.reveal().hex() not in Credential.objects.get(pk="supervisor").second_factor


def test_a_second_factor_needs_a_key_that_lasts_a_password_and_twenty_bytes(office):
    with override_settings(SECOND_FACTOR_SECRET=""), pytest.raises(InputError, match="KAGUAN_SECRET_KEY"):
        enrol_second_factor(office.administrator, uuid4(), code="teller", secret=SEED)
    with pytest.raises(NotEligible, match="20 bytes"):
        enrol_second_factor(office.administrator, uuid4(), code="teller", secret=Secret(b"x"))
    with pytest.raises(NotFound, match="no password yet"):
        enrol_second_factor(office.administrator, uuid4(), code="clerk", secret=SEED)
    enrol_second_factor(office.administrator, uuid4(), code="teller", secret=SEED)
    with override_settings(SECOND_FACTOR_SECRET="another key"), pytest.raises(InputError, match="another KAGUAN"):
        enter(second_factor=code_now())
    other = Credential.objects.get(pk="teller").second_factor
    have_password(office, "teller2")
    Credential.objects.filter(pk="teller2").update(second_factor=other)
    with pytest.raises(InputError):
        enter("teller2", second_factor=code_now())


def test_after_the_close_of_the_day_nobody_works_there_until_tomorrow_or_its_head_opens_again(office):
    token = enter().token
    Operator.objects.filter(pk="teller2").update(roles=[Role.OUTLET_HEAD], level=Level.OUTLET)
    head = office.second_teller
    with pytest.raises(NotFound):
        close_day(head, uuid4(), institution="ABC-1")
    with pytest.raises(NotAllowed):
        close_day(office.teller, uuid4(), institution="ICBC-1")
    assert close_day(head, uuid4(), institution="ICBC-1").closed
    with pytest.raises(DuplicateRequest):
        close_day(head, uuid4(), institution="ICBC-1")
    with pytest.raises(NotAllowed, match="session is over"):
        actor_of(token)
    with pytest.raises(NotAllowed, match="has closed the day"):
        enter()
    have_password(office, "teller2")
    assert actor_of(enter("teller2").token) == head
    have_password(office, "abc")
    enter("abc")
    reopen_day(head, uuid4(), institution="ICBC-1")
    with pytest.raises(NotFound, match="has not closed"):
        reopen_day(head, uuid4(), institution="ICBC-1")
    enter()
    close_day(head, uuid4(), institution="ICBC-1")
    DayClose.objects.update(day=timezone.localdate() - timedelta(days=1))
    enter()


def test_nothing_that_is_written_gives_a_password_away(office):
    with pytest.raises(NotAllowed):
        enter(password=WRONG)
    with pytest.raises(NotAllowed):
        enter("clerk\nforged line", WRONG)
    written = str([list(model.objects.values_list()) for model in (AuditEntry, Receipt, Credential, FormerPassword)])
    for secret in (FIRST, OWN, WRONG):
        assert secret.reveal().decode() not in written
        assert secret.reveal().decode() not in repr(secret)
    assert "forged line" not in written
    assert canonical({"password": FIRST}) == canonical({"password": OWN})
    lines = list(AuditEntry.objects.filter(action="sign in").values_list("operator", "outcome"))
    assert lines == [("teller", "NotAllowed"), ("", "NotAllowed")]


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"])
def test_in_earnest_passwords_are_hashed_with_argon2id_and_much_memory():
    algorithm, kind, _, costs, *_ = make_password("my own words 22").split("$")
    assert (algorithm, kind) == ("argon2", "argon2id")
    assert int(costs.split(",")[0].removeprefix("m=")) >= 64 * 1024
