"""The outbox: a bank hears of a loss when and only when it is on the books, and its refusal takes the loss back."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from cms.neighbours import neighbour_at
from cms.timing import days_ago
from cms.town import BANK, shown
from kaguan.cms.models import AuditEntry, BankEndpoint, Card, CardEvent, Notice
from kaguan.cms.notifying.delivery import Round, deliver_due
from kaguan.cms.rules.notices import MOST_ATTEMPTS, NoticeState, state_after, wait_after
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.clock_run import run_day
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.outbox import register_endpoint, take_back_loss
from kaguan.vault.secret import Secret

CARD, WAITING, OTHER_CERT_NO = "990100001", "990100002", "990101198811110028"
KEY = bytes(range(32))


class Bank:
    """A bank at this machine's own address; it keeps what it is told and answers as it is set to."""

    def __init__(self) -> None:
        self.status, self.words, self.told = 204, b"", []
        bank = self

        class Ear(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bank.told.append((dict(self.headers), body))
                self.send_response(bank.status)
                if bank.status == 302:
                    self.send_header("Location", bank.url + "/elsewhere")
                self.send_header("Content-Length", str(len(bank.words)))
                self.end_headers()
                self.wfile.write(bank.words)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Ear)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def bank(town):
    """The card's bank is told; a card is in use."""
    town.active_card(CARD)
    ear = Bank()
    register_endpoint(town.administrator, uuid4(), bank_code=BANK, url=ear.url, key=Secret(KEY))
    yield ear
    ear.server.shutdown()
    ear.server.server_close()


def states():
    card = Card.objects.get()
    return card.application, card.bank_function


def test_a_notice_is_signed_and_told_once(town, bank):
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    assert bank.told == []
    assert deliver_due(town.hotline) == Round(1, 0, 0, 0)
    assert deliver_due(town.hotline) == Round(0, 0, 0, 0)
    [(headers, body)] = bank.told
    stamp, code = (part.partition("=")[2] for part in headers["Kaguan-Signature"].split(","))
    assert code == hmac.new(KEY, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert abs(int(stamp) - timezone.now().timestamp()) < 60
    said = json.loads(body)
    assert (said["event"], said["card_no"], said["application"]) == ("report_temporary_loss", CARD, "4")
    assert headers["Kaguan-Notice"] == said["notice_id"]


def test_the_key_stands_sealed(bank):
    kept = str(list(BankEndpoint.objects.values_list())) + str(list(AuditEntry.objects.values_list("detail")))
    assert KEY.hex() not in kept


def test_what_is_refused_or_repeated_tells_nobody(town, bank):
    with pytest.raises(NotEligible):
        report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown("990101198811110028"))
    key = uuid4()
    for _ in range(2):
        report_temporary_loss(town.teller, key, card_no=CARD)
    assert Notice.objects.count() == 1


@pytest.mark.parametrize("formal", [False, True])
def test_a_banks_refusal_takes_the_loss_back(town, bank, formal):
    before = states()
    bank.status, bank.words = 422, b"no such account 6229999900000001\n"
    if formal:
        report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())
    else:
        report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    assert states() != before
    assert deliver_due(town.hotline) == Round(0, 0, 1, 0)
    assert states() == before
    line = AuditEntry.objects.get(action="take back loss", outcome="done")
    assert "no such account" in line.detail["why"]
    assert "6229999900000001" not in str(line.detail)
    assert CardEvent.objects.filter(event="take_back_loss", axis="application").count() == 1
    assert deliver_due(town.hotline) == Round(0, 0, 0, 0)


def test_a_refused_formal_loss_is_temporary_again_where_it_was(town, bank):
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    assert deliver_due(town.hotline).delivered == 1
    before = states()
    bank.status = 422
    report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown())
    assert deliver_due(town.hotline).refused == 1
    assert states() == before


def test_a_refusal_that_comes_late_changes_nothing_and_waits_for_a_person(town, bank):
    bank.status = 503
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    assert deliver_due(town.hotline) == Round(0, 1, 0, 0)
    release_loss(town.teller, uuid4(), card_no=CARD)
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    bank.status = 422
    first = Notice.objects.order_by("number").first()
    Notice.objects.exclude(pk=first.pk).update(next_at=timezone.now() + timedelta(days=1))
    assert deliver_due(town.hotline, at=timezone.now() + timedelta(minutes=1)) == Round(0, 0, 0, 1)
    assert states()[0] == "4"
    assert Notice.objects.get(pk=first.pk).state == NoticeState.LATE


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_whatever_else_is_answered_is_tried_again_later(town, bank, status):
    bank.status = status
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    assert deliver_due(town.hotline) == Round(0, 1, 0, 0)
    assert len(bank.told) == 1
    assert deliver_due(town.hotline) == Round(0, 0, 0, 0)
    bank.status = 200
    assert deliver_due(town.hotline, at=timezone.now() + timedelta(seconds=31)) == Round(1, 0, 0, 0)
    assert bank.told[0][1] == bank.told[1][1]


def test_a_bank_that_is_away_is_given_up_at_last(town, bank):
    bank.server.shutdown()
    bank.server.server_close()
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    Notice.objects.update(attempts=MOST_ATTEMPTS - 1)
    assert deliver_due(town.hotline) == Round(0, 0, 0, 1)
    assert Notice.objects.get().state == NoticeState.GIVEN_UP
    assert states()[0] == "4"


def test_only_what_was_sent_is_taken_back_and_by_whom_it_may(town, bank):
    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    notice_id = Notice.objects.get().notice_id
    with pytest.raises(NotEligible, match="no loss report"):
        take_back_loss(town.hotline, uuid4(), notice_id=notice_id, why="")
    bank.status = 422
    for nobody in (town.supervisor, neighbour_at(InstitutionKind.OUTLET)):
        assert deliver_due(nobody) == Round(0, 1, 0, 0)
        assert (states()[0], Notice.objects.get().state) == ("4", NoticeState.WAITING)
        Notice.objects.update(next_at=timezone.now())
    assert deliver_due(town.hotline) == Round(0, 0, 1, 0)
    assert states()[0] == "1"


def test_a_deliverer_that_dies_leaves_the_notice_for_the_next(town, bank):
    def die(*_):
        raise KeyboardInterrupt

    report_temporary_loss(town.teller, uuid4(), card_no=CARD)
    with pytest.raises(KeyboardInterrupt):
        deliver_due(town.hotline, die)
    assert deliver_due(town.hotline) == Round(0, 0, 0, 0)
    assert deliver_due(town.hotline, at=timezone.now() + timedelta(seconds=31)) == Round(1, 0, 0, 0)


@pytest.mark.parametrize(
    "url", ["http://bank.example/x", "ftp://127.0.0.1/", "https://u:p@bank.example/", "https://", "file:///etc/passwd"]
)
def test_a_bank_is_told_in_private(town, bank, url):
    with pytest.raises(NotEligible, match="https"):
        register_endpoint(town.administrator, uuid4(), bank_code=BANK, url=url, key=Secret(KEY))


@given(st.integers(1, 200), st.one_of(st.none(), st.integers(100, 599)))
def test_every_answer_leads_somewhere_and_waits_grow(attempts, status):
    assert timedelta(0) < wait_after(attempts) <= wait_after(attempts + 1) <= timedelta(hours=6)
    state = state_after(status, attempts)
    assert (state is NoticeState.DELIVERED) == (status is not None and 200 <= status <= 299)
    assert state is not NoticeState.WAITING or attempts < MOST_ATTEMPTS


@pytest.mark.acceptance("S4-33")
def test_a_bank_hears_whose_card_waits_to_be_activated(bank, town):
    town.order(WAITING, OTHER_CERT_NO, "测试人乙")
    town.receive(WAITING, OTHER_CERT_NO, "测试人乙")
    town.hand_over(WAITING, OTHER_CERT_NO)
    for days, event in ((30, "remind_activation"), (90, "overdue_activation")):
        days_ago(WAITING, "hand_over", days)
        assert len(list(run_day(town.clock, timezone.localdate()))) == 1
        assert Notice.objects.latest("number").content["event"] == event
