"""`kaguan cms` from an empty disk to a lost card."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from card.cards import PROFILE
from cms.doors import kaguan
from cms.town import return_row
from kaguan.apdu.errors import InputError, OrderError
from kaguan.cms.cli import cms
from kaguan.cms.ledger.posting import Move, post
from kaguan.cms.models import Region
from kaguan.cms.order_rows import read_order_rows
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.refusals import IllegalTransition, NotEligible, NotFound, RuleTableError
from kaguan.cms.services.case import Actor
from kaguan.cms.services.issue import activate
from kaguan.personalization.keystore import make_test_store
from kaguan.personalization.order.returnfile import write_return
from personalization.orders import Order, holder

pytestmark = pytest.mark.slow

PERSON = holder(1)
CARD, CERT_NO, NAME = PERSON["ssseef0507"], PERSON["cert_no"], PERSON["ssseef0609"]
TELLER = {"who": "teller", "at": "ICBC-1"}
WHO = ("--operator", "x", "--institution", "y")
DOCUMENT = ["--cert-no", CERT_NO, "--original"]


@pytest.fixture
def office(own_store):
    """Run `kaguan cms` as somebody; its result, or the error that the front door would show."""

    def run(*words, who="admin", at="SSB"):
        return kaguan(own_store, (who, at), *words)

    run("init", own_store, "--region", "990199")
    return run


@pytest.fixture
def handed_over(office, tmp_path):
    """The first card of an order of five is in its holder's hands; the others are not made yet."""
    office("institution", "add", "ICBC-1", "--name", "outlet", "--kind", "outlet", "--bank-code", "95588")
    office("operator", "add", "clerk", "--name", "c", "--at", "SSB", "--role", "authority clerk")
    office("operator", "add", "teller", "--name", "t", "--at", "ICBC-1", "--role", "outlet teller")
    assert "card_count  5" in office("order", "record", Order().write(tmp_path / "order.zip"), who="clerk")
    row = return_row(CARD, CERT_NO, NAME)._replace(bank_card_no=PERSON["bank_card_no"])
    with (tmp_path / "good.txt").open("wb") as stream:
        write_return(stream, [row])
    assert "card_count   1" in office("stock", "receive", tmp_path / "good.txt", **TELLER)
    office("card", "hand-over", CARD, "--verdict", "same person", *DOCUMENT, **TELLER)
    return office


def test_from_an_order_to_the_holders_hands(handed_over):
    shown = json.loads(handed_over("card", "show", CARD, "--json", **TELLER))
    assert (shown["production"], shown["application"]) == ("HANDED_OVER", "NOT_ENABLED")
    assert (shown["issue_date"], shown["valid_until"], shown["bank_code"]) == ("2026-11-01", "2036-11-01", "95588")
    events = json.loads(handed_over("card", "events", CARD, "--json", **TELLER))
    assert [event["event"] for event in events] == ["order", "receive", "hand_over"]
    person = handed_over("holder", "show", CERT_NO, **TELLER)
    assert "suspended" in person
    assert CERT_NO not in person
    assert NAME not in person
    assert json.loads(handed_over("ledger", "verify", "--json")) == {"accounts": 0, "transfers": 0, "entries": 0}
    assert json.loads(handed_over("ledger", "open", "--json", **TELLER)) == []
    assert json.loads(handed_over("audit", "verify", "--json"))["entries"] == 7


def test_a_loss_is_reported_and_released(handed_over):
    with pytest.raises(IllegalTransition, match="not activated"):
        handed_over("loss", "temporary", CARD, **TELLER)
    activate(Actor("teller", "ICBC-1"), uuid4(), card_no=CARD, document=Document("01", CERT_NO, original=True))
    again = ["--request-id", str(uuid4())]
    for _ in range(2):
        assert "application    4" in handed_over("loss", "temporary", CARD, *again, **TELLER)
    assert "application    2" in handed_over("loss", "formal", CARD, *DOCUMENT, **TELLER)
    asked = ("approval", "release", CARD, "--reason", "found", *DOCUMENT, "--channel")
    with pytest.raises(NotEligible, match="nothing reaches this operator by app"):
        handed_over(*asked, "app", **TELLER)
    assert "release formal loss" in handed_over(*asked, "bank outlet", **TELLER)
    assert "application    1" in handed_over("loss", "release", CARD, *DOCUMENT, **TELLER)


def test_an_account_is_shown_with_its_entries(handed_over):
    with pytest.raises(NotFound, match="no account PA:1"):
        handed_over("account", "show", "PA:1", **TELLER)
    post(uuid4(), "contribution", [Move("PREMIUM_IN", "PA:1", 5)])
    shown = json.loads(handed_over("account", "show", "PREMIUM_IN", "--json", **TELLER))
    assert (shown["balance_fen"], shown["newest_entries"][0]["amount_fen"]) == (-5, -5)


def test_region_settings_come_from_a_file(own_store, tmp_path):
    (tmp_path / "city.json").write_text(json.dumps({"name": "Yunzhou", "banks": ["95588"]}))
    done = CliRunner().invoke(cms, ["init", own_store, "--settings", str(tmp_path / "city.json")])
    assert done.exit_code == 0
    assert Region.objects.get().rules().banks == ("95588",)
    (tmp_path / "city.json").write_text(json.dumps({"colour": "red"}))
    done = CliRunner().invoke(cms, ["init", own_store, "--settings", str(tmp_path / "city.json")])
    assert isinstance(done.exception, RuleTableError)
    (tmp_path / "city.json").write_text("{")
    done = CliRunner().invoke(cms, ["init", own_store, "--settings", str(tmp_path / "city.json")])
    assert isinstance(done.exception, InputError)


def test_an_order_without_card_numbers_or_days_is_refused_by_row(tmp_path):
    for column, text in (("ssseef0507", ""), ("ssseef0506", "20361301")):
        spoilt = Order()
        spoilt.row(2)[column] = text
        with pytest.raises(OrderError, match=f"row 2 has no .*{column}"):
            read_order_rows(spoilt.write(tmp_path / "order.zip"))


def test_reads_and_changes_need_a_database(tmp_path):
    for words in (["card", "show", CARD, *WHO], ["loss", "temporary", CARD, *WHO]):
        result = CliRunner().invoke(cms, [*words, "--db", str(tmp_path / "absent.sqlite")])
        assert isinstance(result.exception, InputError)
        assert "kaguan cms init" in str(result.exception)


def test_help_does_not_load_django():
    code = "import sys; from kaguan.cms.cli import cms; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_store_of_its_own_in_a_process_of_its_own(tmp_path):
    database = str(tmp_path / "fresh.sqlite")
    for words in (["init", database], ["audit", "verify", "--json", "--db", database]):
        done = subprocess.run(
            [sys.executable, "-c", "from kaguan.cms.cli import cms; cms()", *words],
            check=True,
            capture_output=True,
            text=True,
        )
    assert json.loads(done.stdout)["entries"] == 1
    assert Path(database).stat().st_mode & 0o077 == 0


def test_the_log_is_signed_checked_and_taken_out(office, tmp_path):
    key, checkpoints = tmp_path / "audit.key", tmp_path / "checkpoints.jsonl"
    assert "keep it from" in office("audit", "key", key)
    assert "entries     1" in office("audit", "checkpoint", "--key", key, "--checkpoints", checkpoints)
    proof = ["--checkpoints", checkpoints, "--public-key", tmp_path / "audit.key.pub"]
    assert json.loads(office("audit", "verify", "--json", *proof))["signed"] == 1
    with pytest.raises(InputError, match="give both"):
        office("audit", "verify", "--checkpoints", checkpoints)
    for form in ("jsonl", "csv"):
        assert "lines  1" in office("audit", "export", tmp_path / f"log.{form}", "--form", form)


def test_books_are_sampled_backed_up_and_restored(office, new_store, tmp_path):
    store = tmp_path / "keys"
    make_test_store(store, PROFILE)
    assert "people      40" in office("sample", "--holders", "40")
    for keys in ([], ["--keys", store]):
        kept = office("backup", tmp_path / "books", "--json", *keys)
        elsewhere = new_store(f"restored{len(keys)}")
        restored = office("restore", tmp_path / "books", elsewhere, *keys)
        assert json.loads(kept)["audit_head"] in restored
        assert f"rows           {json.loads(kept)['rows']}" in restored
