"""`kaguan cms` from a wish for a card to scrap, as two people at an outlet and two at the authority type it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.doors import kaguan
from cms.timing import days_ago, the_clock
from cms.town import CERT_NO, NAME, return_row
from cms.wishes import SECOND_CERT_NO, SECOND_NAME, enrol
from kaguan.apdu.errors import NeedsSecondPerson, OrderError
from kaguan.cms.models import Card, CardEvent, CardRequest, StockItem, TemporaryCard
from kaguan.cms.rules.refusals import MayNotHaveCard, NotEligible
from kaguan.personalization.order.returnfile import write_return

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lasting_town")]

CLERK, SUPERVISOR = {"who": "clerk", "at": "SSB"}, {"who": "supervisor", "at": "SSB"}
TELLER, SECOND_TELLER = {"who": "teller", "at": "ICBC-1"}, {"who": "teller2", "at": "ICBC-1"}
CLOCK = {"who": "clock", "at": "SSB"}
PERSON = ["--cert-no", CERT_NO, "--name", NAME]
DOCUMENT = ["--cert-no", CERT_NO, "--original"]
DAYS = ["--issue-date", "2026-01-05", "--valid-until", "2036-01-05"]
CARD, NEXT = "990100001", "990100002"


@pytest.fixture
def office(own_store):
    """Run `kaguan cms` in the town as somebody."""

    return lambda *words, who, at: kaguan(own_store, (who, at), *words)


def request_of(cert_no=CERT_NO):
    return CardRequest.objects.get(holder__cert_no=cert_no, card=None).pk


def returned(tmp_path, *card_nos):
    with (tmp_path / "good.txt").open("wb") as stream:
        write_return(stream, [return_row(card_no) for card_no in card_nos])
    return tmp_path / "good.txt"


def sheet(path, *rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    return path


COLUMNS = ("card_request_id", "card_no", "issue_date", "valid_until", "bank_card_no")


@pytest.fixture
def delivered(office, tmp_path):
    """The way from the wish to the holder's hands, by commands."""
    enrol()
    assert "code        0" in office("request", "may", *PERSON, **TELLER)
    office("request", "make", *PERSON, "--bank-code", "95588", "--original", "--verdict", "same person", **TELLER)
    request_id = request_of()
    assert str(request_id) in office("request", "list", **TELLER)
    office("request", "check", request_id, "--failure", "5", **SUPERVISOR)
    office("request", "correct", request_id, **TELLER)
    office("request", "check", request_id, **SUPERVISOR)
    cards = sheet(tmp_path / "cards.csv", COLUMNS, (request_id, CARD, "2026-01-05", "2036-01-05", ""))
    office("request", "order", "R1", cards, **CLERK)
    for step in ("batch", "ask_account", "open_account", "send"):
        office("production", "report", step, CARD, **CLERK)
    office("production", "report", "fail", CARD, "--why", "chip dead", **CLERK)
    office("production", "report", "send", CARD, **CLERK)
    office("production", "return", returned(tmp_path, CARD), **CLERK)
    office("stock", "receive", returned(tmp_path, CARD), **TELLER)
    office("stock", "place", CARD, "A", "12", **TELLER)
    office("stock", "offer", CARD, "--to", "teller2", **TELLER)
    office("stock", "refuse", CARD, **SECOND_TELLER)
    office("stock", "offer", CARD, "--to", "teller2", **TELLER)
    office("stock", "take", CARD, **SECOND_TELLER)
    office("card", "hand-over", CARD, "--verdict", "same person", *DOCUMENT, **SECOND_TELLER)
    told = json.loads(office("holder", "progress", "--cert-no", CERT_NO, "--json", **TELLER))
    assert (told["progress"], told["card_no"]) == ("handed out, not activated", CARD)
    return office


def test_a_card_from_the_wish_to_scrap(delivered):
    office = delivered
    office("replacement", "exchange", CARD, NEXT, "--order-no", "R2", *DAYS, "--reason", "02", **CLERK)
    office("temporary", "issue", "T1", *DOCUMENT, **TELLER)
    TemporaryCard.objects.update(valid_until=timezone.localdate() + timedelta(days=1))
    office("temporary", "extend", "T1", **TELLER)
    office("temporary", "return", "T1", **TELLER)
    office("stock", "recover", CARD, **CLERK)
    with pytest.raises(NeedsSecondPerson):
        office("stock", "scrap", CARD, "--reason", "4", **CLERK)
    assert "production     90" in office("stock", "scrap", CARD, "--reason", "4", **SUPERVISOR)
    gone = ["--kind", "dead", "--on", "2026-01-09", "--evidence", "register 17/2026"]
    assert "cards_ended            1" in office("departure", "register", "--cert-no", CERT_NO, *gone, **CLERK)
    with pytest.raises(MayNotHaveCard):
        office("request", "make", *PERSON, "--bank-code", "95588", **TELLER)
    assert json.loads(office("audit", "verify", "--json", who="", at=""))["entries"] > 20
    events = json.loads(office("card", "events", CARD, "--json", **TELLER))
    assert [event["event"] for event in events][:3] == ["order", "batch", "ask_account"]
    assert events[-1]["event"] == "scrap"


def test_locks_losses_and_cancellation_at_the_command_line(delivered):
    office = delivered
    Card.objects.update(application="1", bank_function="1")
    assert "application    3" in office("card", "lock", CARD, "--reason", "1", **CLERK)
    assert "application    1" in office("card", "unlock", CARD, **CLERK)
    assert "bank_function  2" in office("loss", "bank", CARD, **TELLER)
    assert "bank_function  1" in office("loss", "bank", CARD, "--found", **TELLER)
    Card.objects.update(valid_until=timezone.localdate() + timedelta(days=30))
    office("replacement", "renew", CARD, NEXT, "--order-no", "R2", *DAYS, **CLERK)
    assert "application    0" in office("card", "seal", NEXT, **CLERK)
    assert "application    9" in office("card", "cancel", NEXT, "--reason", "8", **CLERK)


def test_a_unit_applies_by_a_sheet(office, tmp_path):
    enrol()
    names = sheet(tmp_path / "people.csv", ("cert_type", "cert_no", "name"), ("01", CERT_NO, NAME))
    office("request", "unit", "U1", names, "--bank-code", "95588", **CLERK)
    office("request", "withdraw", request_of(), **CLERK)
    for rows, complaint in (
        ([("cert_no", "name")], "columns have to be"),
        ([("cert_type", "cert_no", "name"), ("01", SECOND_CERT_NO)], "people.csv:2: the row needs"),
        ([("cert_type", "cert_no", "name"), ("01", "", SECOND_NAME)], "the row needs"),
    ):
        with pytest.raises(OrderError, match=complaint):
            office("request", "unit", "U1", sheet(names, *rows), "--bank-code", "95588", **CLERK)
    names.write_bytes(b"cert_type,cert_no,name\n01,1,\xff\n")
    with pytest.raises(OrderError, match="no CSV in UTF-8"):
        office("request", "unit", "U1", names, "--bank-code", "95588", **CLERK)
    bad = sheet(names, COLUMNS, (uuid4(), CARD, "2026-13-05", "2036-01-05", ""))
    with pytest.raises(OrderError, match="no card of a request"):
        office("request", "order", "R1", bad, **CLERK)


def test_a_childs_guardian_is_named_whole(office):
    run = ["request", "make", *PERSON, "--bank-code", "95588", "--agent-name", NAME]
    with pytest.raises(AssertionError, match="agent-relation"):
        office(*run, **TELLER)


@pytest.fixture
def losses(delivered):
    """Five cards whose temporary loss is over."""
    first = Card.objects.get()
    cards = [CARD]
    for number in range(2, 6):
        cards.append(f"99010000{number}")
        Card.objects.create(
            card_no=cards[-1],
            holder=first.holder,
            region=first.region,
            order=first.order,
            bank_code="95588",
            production="70",
            issue_date=first.issue_date,
            valid_until=first.valid_until,
        )
    Card.objects.update(application="4")
    for card_no in cards:
        CardEvent.objects.create(
            card_id=card_no,
            at=timezone.now(),
            axis="application",
            event="report_temporary_loss",
            from_state="1",
            to_state="4",
            operator="hotline",
            institution="SSB",
            request_id=uuid4(),
        )
        days_ago(card_no, "report_temporary_loss", 10)
    the_clock()
    return cards


def test_the_clock_shows_what_is_due_and_does_it_once(delivered, losses):
    office = delivered
    dry = office("clock", "--dry", **CLOCK)
    assert dry.splitlines() == [f"{card_no}  due  temporary loss lapses" for card_no in losses]
    assert office("clock", **CLOCK) == dry.replace("due", "done")
    assert office("clock", **CLOCK) == ""
    assert Card.objects.filter(application="1").count() == 5
    ahead = (timezone.localdate() + timedelta(days=1)).isoformat()
    with pytest.raises(NotEligible, match="not come yet"):
        office("clock", "--for", ahead, **CLOCK)
    assert office("reminders", **TELLER) == ""


@pytest.mark.parametrize("lines_read", [1, 3])
def test_a_killed_clock_is_run_again(delivered, losses, own_store, lines_read):
    code = "from kaguan.cms.cli import cms; cms()"
    words = ["clock", "--db", own_store, "--operator", "clock", "--institution", "SSB"]
    command = [sys.executable, "-u", "-c", code, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        seen = [running.stdout.readline() for _ in range(lines_read)]
        running.kill()
    assert all("done" in line for line in seen)
    delivered("clock", **CLOCK)
    assert Card.objects.filter(application="1").count() == 5
    assert CardEvent.objects.filter(event="lapse").count() == 5
    assert StockItem.objects.count() == 1
    assert len(losses) == 5
