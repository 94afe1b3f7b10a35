"""`kaguan cms access token` and `outbox` at the command line, and `serve` where it refuses."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cms.doors import kaguan
from cms.town import BANK
from cms.web import Caller, machine
from kaguan.apdu.errors import InputError
from kaguan.cms.cli import cms
from kaguan.cms.models import MachineToken, Notice
from kaguan.cms.services.loss import report_temporary_loss

pytestmark = pytest.mark.slow

CARD = "990100001"
ADMINISTRATOR, HOTLINE = ("admin", "SSB"), ("hotline", "SSB")


@pytest.fixture
def door(own_store, lasting_town):
    """Run `kaguan cms` as somebody; what it prints."""
    lasting_town.active_card(CARD)

    return partial(kaguan, own_store)


def test_a_token_is_shown_once_serves_and_is_revoked(door):
    key = uuid4()
    words = ("access", "token", "teller", "--for", "till", "--request-id", key)
    token = door(ADMINISTRATOR, *words).splitlines()[-1]
    caller = Caller(token)
    assert caller.get("/me").json()["operator"] == "teller"
    assert "shown before" in door(ADMINISTRATOR, *words)
    assert MachineToken.objects.count() == 1
    door(ADMINISTRATOR, "access", "revoke", key)
    assert caller.get("/me").status_code == 401


def test_a_bank_is_registered_and_told(door, lasting_town, tmp_path):
    told = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        key = tmp_path / "bank.key"
        key.write_text("no hex", encoding="ascii")
        address = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(InputError, match=r"bank\.key holds no key"):
            door(ADMINISTRATOR, "outbox", "register", BANK, address, "--key-file", key)
        key.write_text("00" * 32, encoding="ascii")
        door(ADMINISTRATOR, "outbox", "register", BANK, address, "--key-file", key)
        report_temporary_loss(lasting_town.teller, uuid4(), card_no=CARD)
        shown = dict(line.split() for line in door(HOTLINE, "outbox", "deliver").splitlines())
        server.shutdown()
    assert shown["delivered"] == "1"
    assert len(told) == 1
    assert Notice.objects.get().state == "delivered"


def test_it_serves_no_database_that_is_not_there(tmp_path):
    result = CliRunner().invoke(cms, ["serve", "--db", str(tmp_path / "none.sqlite")])
    assert isinstance(result.exception, InputError)


def test_custody_temporary_cards_and_departures_over_the_web(door, lasting_town):
    lasting_town.order("990100009", "990101198811110028", "测试人乙")
    lasting_town.receive("990100009", "990101198811110028", "测试人乙")
    first, second, clerk = (machine(lasting_town, code) for code in ("teller", "teller2", "clerk"))
    placed = first.post("/cards/990100009/place", {"cabinet": "1", "position": "A7"})
    assert placed.status_code == 200, placed.content
    offered = first.post("/custody/offers", {"card_nos": ["990100009"], "taker": "teller2"})
    assert offered.status_code == 200, offered.content
    assert second.post("/custody/takings", {"card_nos": ["990100009"]}).json()["keeper"] == "teller2"
    left = {"cert_no": "990101198811110028", "kind": "dead", "happened_on": "2026-01-02", "evidence": "paper 1"}
    departed = clerk.post("/departures", left)
    assert departed.status_code == 200, departed.content
    again = clerk.post("/departures", {**left, "happened_on": 20260102})
    assert (again.status_code, again.json()["code"]) == (422, "invalid")
    revoked = clerk.post(f"/departures/{departed.json()['departure_id']}/revocation")
    assert (revoked.status_code, revoked.json()["code"]) == (403, "needs_second_person")
    assert first.post("/temporary-cards/T1/extension").status_code == 404
