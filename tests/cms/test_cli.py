"""`kaguan cms` from an empty disk to a lost card."""

from __future__ import annotations

import json
import subprocess
import sys
from uuid import uuid4

import pytest
from click.testing import CliRunner

from cms.town import CERT_NO, NAME, return_row
from kaguan.apdu.errors import InputError
from kaguan.cms.cli import cms
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.personalization.order import HOLDER_COLUMNS, TASK_COLUMNS
from kaguan.personalization.returnfile import write_return
from personalization.orders import write_order

CARD = "A000F9XV3"


@pytest.fixture
def office(own_store):
    """Run `kaguan cms` as somebody; its result, or the error that the front door would show."""

    def run(*words, who="admin", at="SSB"):
        environment = {"KAGUAN_DB": own_store, "KAGUAN_OPERATOR": who, "KAGUAN_INSTITUTION": at}
        result = CliRunner().invoke(cms, [str(word) for word in words], env=environment)
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    run("init", own_store)
    return run


def staff(office):
    office("institution", "add", "ICBC-1", "--name", "outlet", "--kind", "outlet", "--bank-code", "3")
    office("operator", "add", "clerk", "--name", "c", "--at", "SSB", "--role", "authority clerk")
    office("operator", "add", "teller", "--name", "t", "--at", "ICBC-1", "--role", "outlet teller")


def test_from_an_order_to_a_lost_card(office, tmp_path):
    staff(office)
    row = return_row(CARD)._replace(bank_card_no="")
    office("order", "record", order_zip(tmp_path), who="clerk")
    with (tmp_path / "good.txt").open("wb") as stream:
        write_return(stream, [row])
    teller = {"who": "teller", "at": "ICBC-1"}
    assert "card_count   1" in office("stock", "receive", tmp_path / "good.txt", **teller)
    document = ["--cert-no", CERT_NO, "--original"]
    office("card", "hand-over", CARD, "--verdict", "same person", *document, **teller)
    shown = json.loads(office("card", "show", CARD, "--json"))
    assert (shown["production"], shown["application"]) == ("HANDED_OVER", "NOT_ENABLED")
    events = json.loads(office("card", "events", CARD, "--json"))
    assert [event["event"] for event in events] == ["order", "receive", "hand_over"]
    person = office("holder", "show", CERT_NO)
    assert "suspended" in person
    assert CERT_NO not in person
    assert NAME not in person
    assert json.loads(office("ledger", "verify", "--json")) == {"accounts": 0, "transfers": 0, "entries": 0}
    assert json.loads(office("audit", "verify", "--json"))["entries"] == 7
    with pytest.raises(NotFound):
        office("account", "show", "PA:1")


def test_a_loss_is_reported_and_released(office, own_store):
    from cms.town import Town  # noqa: F401

    staff(office)


def test_reads_and_changes_need_a_database(tmp_path):
    for words in (["card", "show", CARD], ["loss", "temporary", CARD, "--operator", "x", "--institution", "y"]):
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
