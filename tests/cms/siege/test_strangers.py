"""Whoever asks over the web for what is not theirs hears the same as of what does not exist, and changes nothing."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from cms.neighbours import neighbour_at
from cms.siege.operations import OPERATIONS
from cms.siege.tenants import CARD, everything_in, nobodys_things, our_things, portal_of, signed_in
from cms.town import CERT_NO, NAME
from cms.web import Caller, machine, shown
from kaguan.cms.api.limits import COOKIE
from kaguan.cms.models import Holder, Operator, Session
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Level
from kaguan.cms.safekeeping.dump import row_lines
from kaguan.cms.services.access.sessions import end_sessions, open_session

pytestmark = pytest.mark.slow

PERSONAL = (NAME, CERT_NO, "6229999900000001", "测试人乙", "990101198811110028")
WRITTEN_BY_ASKING = {"cms_session", "cms_sourcefailures", "cms_credential"}


@pytest.fixture(autouse=True)
def quick(settings):
    settings.RATE_OF_A_SOURCE = settings.RATE_OF_A_TOKEN = settings.RATE_OF_SIGNING_IN = "100000/m"


def rows():
    """Every row that asking alone does not write."""
    return {line for table, line in row_lines() if table not in WRITTEN_BY_ASKING}


def told(answer, names):
    """What an answer says when the names of things, and what is dealt out anew each time, are left aside."""
    text = answer.content.decode()
    values = [one for value in names.values() for one in (value if isinstance(value, list) else [value])]
    plain = {str(value) for value in values if len(str(value)) > 3 and not isinstance(value, dict)}
    for value in sorted(plain | {mask_number(value) for value in plain}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "?", text)
    text = re.sub(r"(person|guardian|guardianship) \d+", r"\1 ?", text)
    text = re.sub(r'"(\w*_id|token|expires_at|csrf_token)": *("[^"]*"|\d+)', r'"\1": ?', text)
    return answer.status_code, text


def asked_and_undone(operation, caller, names):
    """The answer; what the request did is taken back, so that the next one finds what this one found."""
    before = transaction.savepoint()
    answer = operation.ask(caller, names)
    transaction.savepoint_rollback(before)
    return answer


@pytest.mark.acceptance("S2-28")
@pytest.mark.parametrize("place", [InstitutionKind.AUTHORITY, InstitutionKind.OUTLET])
def test_another_citys_things_are_nobodys_things(town, place):
    ours, nobodys = our_things(town), nobodys_things()
    there = neighbour_at(place)
    caller = signed_in(Operator.objects.get(pk=there.operator))
    before, leaks = rows(), []
    for operation in OPERATIONS:
        if operation.open_to_all or operation.name in {"sign_out", *GLOBAL}:
            continue
        answers = [(asked_and_undone(operation, caller, names), names) for names in (nobodys, ours)]
        nothing, something = (told(*one) for one in answers)
        if nothing != something:
            leaks.append((operation.name, nothing, something))
        assert nothing[0] < 500, operation
        assert not any(one in answers[1][0].content.decode() for one in PERSONAL), operation
    assert leaks == []
    assert before <= rows()


GLOBAL = {"order_cards"}
"""A card's number stands for one card in every city: whoever wants it again hears that it is taken."""
OPEN = {"sign_in", "change_password", "list_trusted_keys"}


def test_what_needs_no_proof_is_open_to_all():
    assert {operation.name for operation in OPERATIONS if operation.open_to_all} == OPEN


def forgeries(town):
    """Callers whose proofs are no good, by what is wrong with them."""
    ended = open_session(timezone.now(), "here", operator=Operator.objects.get(pk="clerk"))
    end_sessions(timezone.now(), "left", operator=Operator.objects.get(pk="clerk"))
    good = open_session(timezone.now(), "here", operator=Operator.objects.get(pk="teller")).reveal().decode()
    holder = open_session(timezone.now(), "here", holder=Holder.objects.first()).reveal().decode()
    program = machine(town, "teller2").headers["Authorization"].split()[1]
    swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
    digest = Session.objects.get(operator="teller", ended_at=None).digest
    return {
        "none": Caller(),
        "ended": Caller(ended.reveal().decode()),
        "one character other": Caller(swapped),
        "cut": Caller(good[:-1]),
        "longer": Caller(good + "A"),
        "other case": Caller(good.swapcase()),
        "what the books have": Caller(digest),
        "a holder's": Caller(holder),
        "prefix alone": Caller("kgm_"),
        "a session's as a program's": Caller("kgm_" + good),
        "a program's without its prefix": Caller(program.removeprefix("kgm_")),
        "another scheme": Caller(Authorization=f"Basic {good}"),
        "sql": Caller("' OR '1'='1"),
        "a program's as cookie": Caller(Cookie=f"{COOKIE}={program}"),
        "a changed cookie": Caller(Cookie=f"{COOKIE}={swapped}"),
        "an empty cookie": Caller(Cookie=f"{COOKIE}="),
    }


def test_whoever_is_not_signed_in_is_told_so_and_nothing_else(town):
    ours = our_things(town)
    before, wrong = None, []
    for what, caller in forgeries(town).items():
        for operation in OPERATIONS:
            if operation.name in OPEN:
                continue
            before = before or rows()
            answer = operation.ask(caller, ours)
            cookie = "cookie" in what and operation.method == "post"
            expected = {401, 403} if cookie else {401}
            if answer.status_code not in expected or answer.json()["code"] not in {"unauthenticated", "csrf_failed"}:
                wrong.append((what, operation.name, answer.status_code))
    assert wrong == []
    assert rows() == before


def test_a_cookie_alone_changes_nothing(town):
    ours = our_things(town)
    token = open_session(timezone.now(), "here", operator=Operator.objects.get(pk="clerk")).reveal().decode()
    browser = Caller(Cookie=f"{COOKIE}={token}")
    assert browser.get("/me").status_code == 200
    before = rows()
    for forged in ({}, {"X-CSRFToken": "A" * 64}, {"X-CSRFToken": "A" * 64, "Cookie": f"{COOKIE}={token}; x=y"}):
        for operation in OPERATIONS:
            if operation.method == "post" and operation.name not in OPEN:
                answer = operation.ask(browser, ours, **forged)
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed"), operation
    assert rows() == before


def test_a_key_of_somebody_elses_gives_nobody_their_answer(town):
    our_things(town)
    key, body = uuid4(), {"document": shown(CERT_NO)}
    first = machine(town, "teller").post(f"/cards/{CARD}/formal-loss", body, key=key)
    assert first.status_code == 200
    there = neighbour_at(InstitutionKind.OUTLET)
    strangers = {
        "another bank": machine(town, "abc"),
        "the authority": machine(town, "clerk"),
        "another city": signed_in(Operator.objects.get(pk=there.operator)),
        "nobody": Caller(),
    }
    before = [line for line in rows() if b'"done"' in line]
    for who, caller in strangers.items():
        answer = caller.post(f"/cards/{CARD}/formal-loss", body, key=key)
        assert answer.status_code in {401, 409}, who
        assert answer.json()["code"] in {"unauthenticated", "idempotency_conflict"}, who
        assert CARD not in answer.content.decode(), who
    assert [line for line in rows() if b'"done"' in line] == before
    again = machine(town, "teller2").post(f"/cards/{CARD}/formal-loss", body, key=key)
    assert again.json() == first.json()


def test_a_holders_session_serves_at_their_own_portal_alone(town):
    our_things(town)
    holder = Holder.objects.get(cert_no=CERT_NO)
    token = open_session(timezone.now(), "here", holder=holder).reveal().decode()
    ours = portal_of(town)
    held = {"Holder-Session": token}
    assert ours.get("/portal/self", **held).status_code in {200, 403}
    there = neighbour_at(InstitutionKind.AUTHORITY)
    abroad = signed_in(Operator.objects.get(pk=there.operator))
    before = rows()
    assert abroad.get("/portal/self", **held).status_code == 403
    assert abroad.post("/portal/password", {"password": "my own words 22"}, **held).status_code == 403
    assert abroad.post(f"/portal/cards/{CARD}/activation", **held).status_code == 403
    assert [line for line in rows() - before if b'"done"' in line] == []
    operators = open_session(timezone.now(), "here", operator=Operator.objects.get(pk="teller")).reveal().decode()
    for session in (operators, "x", "kgm_" + "A" * 43):
        assert ours.get("/portal/self", **{"Holder-Session": session}).status_code == 403


HOSTILE = [
    "'; DROP TABLE cms_card; --",
    "=cmd|'/c calc'!A1",
    "\u202e\u2066gnp.exe",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "../../../etc/passwd",
    "%00%0a{{7*7}}${7*7}",
    "𠮷" * 70_000,
    "9" * 400,
    2**63,
    -(2**70),
    1e308,
    True,
    None,
    [],
    {"$ne": ""},
    "",
    " ",
    "\n",
]


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.body], ids=str)
def test_no_value_of_any_field_is_more_than_a_value(town, operation):
    ours = our_things(town)
    caller = signed_in(everything_in("990100", "SSB"))
    Operator.objects.filter(pk="all-SSB").update(level=Level.ADMINISTRATOR)
    broken = []
    for place in operation.places(ours):
        for value in HOSTILE:
            answer = operation.ask(
                caller, ours, change=lambda at, plain, place=place, value=value: value if at == place else plain
            )
            if answer.status_code >= 500:
                broken.append((place, value if len(str(value)) < 50 else "long", answer.content))
            if answer.status_code >= 400:
                json.loads(answer.content)["code"]
    assert broken == []
