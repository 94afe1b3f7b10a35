"""The API's way in: who is let in, what a key and a tag are for, and how refusals are told."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from cms.crowd import citizen_number
from cms.neighbours import neighbour_at
from cms.town import CERT_NO, NAME
from cms.web import FIRST, OWN, Caller, have_password, machine, shown
from kaguan.apdu.errors import KaguanError
from kaguan.cms.api.errors import ANSWERS, OF_THE_WEB, answer_to, problem_of
from kaguan.cms.api.limits import source_of_request
from kaguan.cms.models import AuditEntry, Card, CardEvent, MachineToken, Operator
from kaguan.cms.rules import refusals
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level, Role
from kaguan.cms.services.set_up import register_operator

CARD = "990100001"
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def teller(town):
    """The outlet's teller, over the web; a card is in use."""
    town.active_card(CARD)
    return machine(town, "teller")


def test_a_person_signs_in_works_and_leaves(town):
    town.active_card(CARD)
    have_password(town, "teller")
    entered = Caller().post("/sign-in", {"operator": "teller", "password": OWN})
    assert entered.status_code == 200
    caller = Caller(entered.json()["token"])
    assert caller.get("/me").json()["institution"] == "ICBC-1"
    assert caller.get(f"/cards/{CARD}").status_code == 200
    assert caller.post("/sign-out").status_code == 204
    assert caller.get("/me").status_code == 401


def test_wrong_names_and_passwords_are_told_in_the_same_words(town):
    have_password(town, "teller")
    wrong = [
        Caller().post("/sign-in", {"operator": code, "password": text})
        for code, text in (("teller", "not this one 99"), ("nobody", OWN))
    ]
    assert {answer.status_code for answer in wrong} == {401}
    assert wrong[0].json() == wrong[1].json()
    given = Caller().post("/sign-in", {"operator": "teller", "password": FIRST})
    assert given.status_code == 401


def test_a_browser_needs_cookie_and_csrf_token(town):
    town.active_card(CARD)
    have_password(town, "teller")
    browser = Caller()
    entered = browser.post("/sign-in", {"operator": "teller", "password": OWN, "cookie": True})
    assert entered.json()["token"] == ""
    cookie = entered.cookies["__Host-kaguan-session"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Strict", "/")
    assert browser.get(f"/cards/{CARD}").status_code == 200
    at_home = {"Referer": "https://testserver/"}
    forged = browser.post(f"/cards/{CARD}/temporary-loss", **at_home)
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf_failed")
    token = entered.json()["csrf_token"]
    elsewhere = browser.post(
        f"/cards/{CARD}/temporary-loss", **{"X-CSRFToken": token, "Referer": "https://evil.example/"}
    )
    assert elsewhere.status_code == 403
    assert Card.objects.get().application == "1"
    done = browser.post(f"/cards/{CARD}/temporary-loss", **{"X-CSRFToken": token, **at_home})
    assert (done.status_code, done.json()["application"]) == (200, "4")


@pytest.mark.parametrize("token", ["", "x", "kgm_", "kgm_" + "A" * 43, "ä"])
def test_a_forged_token_opens_nothing(teller, token):
    caller = Caller(token) if token else Caller()
    answer = caller.get(f"/cards/{CARD}")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_programs_token_ends_with_its_time_its_operator_and_its_revocation(town, teller):
    row = MachineToken.objects.get()
    assert teller.headers["Authorization"].removeprefix("Bearer ") not in str(list(MachineToken.objects.values_list()))
    for change, back in (
        ({"expires_at": timezone.now()}, {"expires_at": timezone.now() + timedelta(days=1)}),
        ({"revoked_at": timezone.now()}, {"revoked_at": None}),
    ):
        MachineToken.objects.filter(pk=row.pk).update(issued_at=timezone.now() - timedelta(days=1), **change)
        assert teller.get("/me").status_code == 401
        MachineToken.objects.filter(pk=row.pk).update(**back)
        assert teller.get("/me").status_code == 200
    for change in ({"active": False}, {"roles": ["authority supervisor"]}):
        before = Operator.objects.filter(pk="teller").values(*change).get()
        Operator.objects.filter(pk="teller").update(**change)
        assert teller.get("/me").status_code == 401
        Operator.objects.filter(pk="teller").update(**before)


def test_an_administrator_gives_and_takes_tokens_over_the_web(town):
    town.active_card(CARD)
    admin = signed_in_administrator(town)
    key = uuid4()
    wanted = {"operator": "teller", "purpose": "till", "days": 30}
    given = admin.post("/machine-tokens", wanted, key=key)
    assert given.status_code == 201
    program = Caller(given.json()["token"])
    assert program.get("/me").json()["operator"] == "teller"
    again = admin.post("/machine-tokens", wanted, key=key).json()
    assert (again["token"], again["ref"]) == ("", given.json()["ref"])
    for people in ("supervisor", "admin"):
        refused = admin.post("/machine-tokens", {**wanted, "operator": people})
        assert refused.status_code in {403, 409}
    token_id = given.json()["ref"]["token_id"]
    assert [row["token_id"] for row in admin.get("/machine-tokens").json()] == [token_id]
    assert admin.post(f"/machine-tokens/{token_id}/revocation").status_code == 200
    assert program.get("/me").status_code == 401
    told = str(list(AuditEntry.objects.values_list("detail")))
    assert given.json()["token"] not in told


def signed_in_administrator(town) -> Caller:
    """The town's administrator, signed in; a colleague has given them their first password."""
    register_operator(
        town.administrator,
        uuid4(),
        code="admin2",
        name="admin2",
        institution="SSB",
        roles=[Role.ADMINISTRATOR],
        level=Level.ADMINISTRATOR,
    )
    have_password(town, "admin2")
    return Caller(Caller().post("/sign-in", {"operator": "admin2", "password": OWN}).json()["token"])


def test_a_key_gives_the_first_answer_again_and_nothing_else(teller):
    key = uuid4()
    seen = teller.get(f"/cards/{CARD}")["ETag"]
    first = teller.post(f"/cards/{CARD}/formal-loss", {"document": shown(CERT_NO)}, key=key, seen=seen)
    again = teller.post(f"/cards/{CARD}/formal-loss", {"document": shown(CERT_NO)}, key=key, seen=seen)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert CardEvent.objects.filter(event="report_formal_loss").count() == 1
    other = {**shown(CERT_NO), "original": False}
    conflict = teller.post(f"/cards/{CARD}/formal-loss", {"document": other}, key=key)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")


def test_a_tag_refuses_what_changed_since(town, teller):
    seen = teller.get(f"/cards/{CARD}")["ETag"]
    assert seen.startswith('W/"')
    missing = teller.post(f"/cards/{CARD}/temporary-loss", seen=None)
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition_required")
    assert teller.post(f"/cards/{CARD}/temporary-loss", seen=seen).status_code == 200
    late = teller.post(f"/cards/{CARD}/loss-release", {}, seen=seen)
    assert (late.status_code, late.json()["code"]) == (412, "state_changed")
    fresh = teller.get(f"/cards/{CARD}")["ETag"]
    assert teller.post(f"/cards/{CARD}/loss-release", {}, seen=fresh).status_code == 200


def test_another_citys_card_is_not_found_not_forbidden(teller):
    there = neighbour_at(InstitutionKind.OUTLET)
    Operator.objects.filter(pk="teller").update(institution=there.institution)
    known = teller.get(f"/cards/{CARD}")
    unknown = teller.get("/cards/990100999")
    assert known.status_code == unknown.status_code == 404
    assert known.json()["message"].replace(CARD, "") == unknown.json()["message"].replace("990100999", "")
    assert teller.post(f"/cards/{CARD}/temporary-loss").status_code == 404
    assert teller.get("/cards").json() == {"items": [], "next": ""}


def test_pages_follow_each_other_without_gap(town, teller):
    numbers = [f"99010000{n}" for n in range(2, 7)]
    for serial, number in enumerate(numbers, start=5):
        town.order(number, citizen_number(serial=serial), "测试人丙")
    found, cursor = [], ""
    while True:
        page = teller.get(f"/cards?limit=2&cursor={cursor}").json()
        assert len(page["items"]) <= 2
        found += [card["card_no"] for card in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert found == [CARD, *numbers]
    events = teller.get(f"/cards/{CARD}/events?limit=2").json()
    rest = teller.get(f"/cards/{CARD}/events?cursor={events['next']}").json()
    steps = [step["number"] for step in (*events["items"], *rest["items"])]
    assert steps == sorted(CardEvent.objects.filter(card=CARD).values_list("pk", flat=True))
    for cursor in ("AAAA", "_____", "x", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"):
        assert teller.get(f"/cards/{CARD}/events?cursor={cursor}").status_code == 404


def test_people_are_masked(teller):
    text = teller.get(f"/cards/{CARD}").content.decode()
    assert NAME not in text
    assert CERT_NO not in text


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{}", "text/plain", 415, "wrong_content_type"),
        (b"<x/>", "application/xml", 415, "wrong_content_type"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "wrong_content_type"),
        (b"{", "application/json", 400, "malformed"),
        (b"[]", "application/json", 400, "malformed"),
        (b"\xff", "application/json", 400, "malformed"),
        (b'{"document": NaN}', "application/json", 400, "malformed"),
        (b'{"document": null, "document": null}', "application/json", 400, "malformed"),
        (b'{"document": "\\ud800"}', "application/json", 400, "malformed"),
        (b'{"document": "\\u0000"}', "application/json", 400, "malformed"),
        (b"[" * 100_000, "application/json", 400, "malformed"),
        (b'{"surprise": 1}', "application/json", 422, "invalid"),
        (b'{"document": {"cert_no": "1", "original": "yes"}}', "application/json", 422, "invalid"),
        (b'"' + b"x" * 2_000_000 + b'"', "application/json", 413, "too_large"),
    ],
    ids=range(14),
)
def test_strange_bodies_are_refused(teller, content, kind, status, code):
    answer = teller.client.post(
        f"/api/v1/cards/{CARD}/loss-release",
        data=content,
        content_type=kind,
        secure=True,
        headers={**teller.headers, "Idempotency-Key": str(uuid4()), "If-Match": "*"},
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_whoever_asks_too_often_waits(teller, settings):
    settings.RATE_OF_A_TOKEN = "3/m"
    answers = [teller.get("/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["retryable"]
    settings.RATE_OF_A_SOURCE = "5/m"
    strangers = [Caller(f"guess{n}").get("/me", **{"X-Forwarded-For": f"10.1.1.{n}"}) for n in range(3)]
    assert [answer.status_code for answer in strangers] == [401, 429, 429]
    cache.clear()
    settings.RATE_OF_SIGNING_IN = "1/m"
    tries = [Caller().post("/sign-in", {"operator": "x", "password": "y"}).status_code for _ in range(2)]
    assert tries == [401, 429]


def test_answers_are_kept_from_caches_frames_and_scripts(teller):
    for answer in (teller.get("/me"), Caller().get("/me"), Caller().get("/nowhere")):
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["Strict-Transport-Security"]
        assert answer["Content-Type"].startswith("application/json")


def test_every_refusal_has_a_code_and_a_bug_tells_nothing():
    def family(kind):
        return {kind, *(one for below in kind.__subclasses__() for one in family(below))}

    for kind in family(KaguanError):
        if kind.__module__.startswith("kaguan.cms"):
            row = answer_to(kind.__new__(kind))
            assert 400 <= row.status < 600
            assert kind is refusals.RuleTableError or row.code != "internal_error" or not row.told
    assert {row.code for row in ANSWERS.values()}.isdisjoint(set(OF_THE_WEB) - {"too_large"})
    told = json.dumps(problem_of(KeyError("secret place")))
    assert "internal_error" in told
    assert "secret" not in told
    assert "9901011990" + "********" not in told
    assert "0307" not in json.dumps(problem_of(refusals.NotEligible(f"not {CERT_NO}")))


@pytest.mark.slow
def test_the_committed_description_is_the_apis_own():
    subprocess.run([sys.executable, PROJECT / "scripts" / "openapi", "--check"], check=True)


@pytest.mark.slow
def test_many_at_once_under_one_key_do_it_once(lasting_town):
    lasting_town.active_card(CARD)
    caller, key = machine(lasting_town, "teller"), uuid4()

    def ask(_):
        try:
            return Caller(caller.headers["Authorization"].split()[1]).post(f"/cards/{CARD}/temporary-loss", key=key)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert CardEvent.objects.filter(event="report_temporary_loss").count() == 1


@pytest.mark.slow
def test_of_many_who_saw_the_same_one_changes_it(lasting_town):
    lasting_town.active_card(CARD)
    caller = machine(lasting_town, "clerk")
    seen = caller.get(f"/cards/{CARD}")["ETag"]

    def ask(_):
        try:
            return Caller(caller.headers["Authorization"].split()[1]).post(f"/cards/{CARD}/temporary-loss", seen=seen)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(ask, range(8)))
    assert statuses == [200] + [412] * 7


def test_only_the_trusted_proxy_is_believed_about_who_asks(rf, settings):
    forwarded = rf.get("/", REMOTE_ADDR="10.0.0.2", headers={"X-Forwarded-For": "10.9.9.9, 10.1.1.1"})
    assert source_of_request(forwarded) == "10.0.0.2"
    settings.TRUSTED_PROXY = "10.0.0.2"
    assert source_of_request(forwarded) == "10.1.1.1"
    direct = rf.get("/", REMOTE_ADDR="10.0.0.3", headers={"X-Forwarded-For": "10.9.9.9"})
    assert source_of_request(direct) == "10.0.0.3"
