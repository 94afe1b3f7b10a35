"""`kaguan cms` at the counter, told in the words that a teller types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from card.cards import PROFILE
from cms.counter import CARD, FIRST_PIN, SUCCESSOR, Counter, drugs, new_card
from cms.town import CERT_NO, shown
from kaguan.cli import main
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.services.issue import hand_over
from kaguan.durable import write_whole
from kaguan.emulator.faults import tearing
from kaguan.emulator.imagefile import FileCard, save_image
from kaguan.personalization.specimen import specimen_vault
from kaguan.vault.secret import Secret

pytestmark = pytest.mark.slow

TELLER, PHARMACIST, CLERK = ("teller", "ICBC-1"), ("pharmacist", "PHARMACY-1"), ("clerk", "SSB")
DOCUMENT = ("--cert-no", CERT_NO, "--original")
ID = "10000000-0000-4000-8000-00000000000"


@pytest.fixture
def store(tmp_path) -> Path:
    """The specimen's keys in a store, its passphrase beside it."""
    path = tmp_path / "test.store"
    write_whole(Path(f"{path}.passphrase"), b"a test\n")
    write_whole(path, specimen_vault(PROFILE).sealed(Secret(b"a test"), bytes))
    return path


@pytest.fixture
def kaguan(own_store, lasting_town, store, tmp_path, monkeypatch):
    """Go in at the front door as somebody at a counter: what was printed, after it ended as expected."""

    def run(*words, who=TELLER, pins=(), card=None, code=0):
        on_card = ["--card", str(tmp_path / f"{card}.card"), "--keys", str(store)] if card else []
        operator, institution = who
        environment = {
            "KAGUAN_DB": own_store,
            "KAGUAN_OPERATOR": operator,
            "KAGUAN_INSTITUTION": institution,
            "KAGUAN_TERMINAL": institution.encode().hex()[-12:].rjust(12, "0"),
        }
        monkeypatch.setattr(sys, "argv", ["kaguan", "cms", *map(str, words), *on_card])
        typed = "".join(f"{pin}\n" for pin in pins)
        with (
            CliRunner().isolation(typed, environment) as (stdout, stderr, _),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        printed, told = stdout.getvalue().decode(), stderr.getvalue().decode()
        assert (ended.value.code or 0) == code, told
        for pin in pins:
            assert pin not in printed + told
        return printed if code == 0 else told

    run.counter = Counter(lasting_town)
    return run


def values(text):
    """What was printed, by name."""
    return {line.split("  ")[0]: line.split("  ")[-1].strip() for line in text.splitlines()}


def in_hand(kaguan, folder, card_no):
    """The card is in its holder's hands, and in a file."""
    card = kaguan.counter.in_stock(card_no)
    hand_over(
        kaguan.counter.town.teller,
        UUID(int=int(card_no, 36)),
        card_no=card_no,
        document=shown(),
        verdict=Verdict.SAME_PERSON,
    )
    save_image(folder / f"{card_no}.card", card.image)


def test_a_card_lives_its_life_at_the_command_line(kaguan, tmp_path):
    in_hand(kaguan, tmp_path, CARD)
    read = values(kaguan("card", "read", card=CARD))
    assert (read["card_no"], read["application"], read["pin_tries_left"]) == (CARD, "NOT_ENABLED", "3")
    assert read["name"] == "测***"
    assert values(kaguan("card", "activate", *DOCUMENT, card=CARD))["application"] == "1 NORMAL"
    kaguan("pin", "change", card=CARD, pins=["123456", "246810"])
    kaguan("pin", "change", card=CARD, pins=["999999", "246810"], code=3)
    assert values(kaguan("pin", "tries", card=CARD))["pin_tries_left"] == "2"
    by_machine = ("--channel", "portable machine")
    assert "not by portable machine" in kaguan(
        "pin", "unblock", *DOCUMENT, *by_machine, card=CARD, pins=["135791"], code=5
    )
    kaguan("pin", "unblock", *DOCUMENT, card=CARD, pins=["135791"])
    assert values(kaguan("pin", "tries", card=CARD))["pin_tries_left"] == "3"
    credited = kaguan(
        "contribution", "credit", "--cert-no", CERT_NO, "--month", "2026-01", "--base", "10000", who=CLERK
    )
    assert values(credited)["balance_fen"] == "20000"

    (tmp_path / "pin").write_text("135791\n")
    assert "settled" in kaguan("load", "make", "120.00", "--pin-file", tmp_path / "pin", card=CARD)
    bill = ("drug=45.60", "treatment=0.40")
    assert values(kaguan("purchase", "make", *bill, card=CARD, who=PHARMACIST, pins=["135791"]))["amount_fen"] == "4600"
    refused = kaguan("purchase", "make", "food=1", card=CARD, who=PHARMACIST, pins=["135791"], code=5)
    assert "medical goods and services only" in refused
    assert "over the limit" in kaguan("load", "make", "500.01", card=CARD, pins=["135791"], code=5)
    read = values(kaguan("card", "read", card=CARD))
    assert read["chip_fen"] == read["books_fen"] == "7400"

    kaguan("card", "block", card=CARD, code=5)
    kaguan("loss", "formal", CARD, *DOCUMENT)
    kaguan("card", "block", card=CARD)
    assert "blocked" in kaguan("card", "read", card=CARD, code=3)
    kaguan(
        *("replacement", "order", CARD, SUCCESSOR, "--order-no", "R1"),
        *("--issue-date", "2026-02-03", "--valid-until", "2036-01-05"),
        who=CLERK,
    )
    in_hand(kaguan, tmp_path, SUCCESSOR)
    kaguan("card", "activate", *DOCUMENT, card=SUCCESSOR)
    assert values(kaguan("replacement", "carry-over", card=SUCCESSOR, pins=["123456"]))["amount_fen"] == "7400"
    read = values(kaguan("card", "read", card=SUCCESSOR))
    assert read["chip_fen"] == read["books_fen"] == "7400"
    kaguan("ledger", "verify")
    kaguan("audit", "verify")


@pytest.mark.parametrize("kind", ["load", "purchase"])
def test_what_was_torn_is_recovered_at_the_command_line(kaguan, tmp_path, kind):
    counter = kaguan.counter
    image = counter.funded().image
    command = {"load": "CREDIT FOR LOAD", "purchase": "DEBIT FOR PURCHASE"}[kind]
    who = {"load": TELLER, "purchase": PHARMACIST}[kind]
    save_image(tmp_path / f"{CARD}.card", image)
    for number, after_writes, phase in ((1, 0, "void"), (2, 3, "settled")):
        with FileCard(tmp_path / f"{CARD}.card") as card:
            torn = tearing(card, during=command, after_writes=after_writes)
            with pytest.raises(Exception, match="the card was lost"):
                begin(counter, kind, torn, UUID(f"{ID}{number}"))
        assert json.loads(kaguan("ledger", "open", "--json"))[0]["transfer"] == f"{ID}{number}"
        if phase == "void":
            assert "ask again with the PIN" in kaguan(kind, "recover", f"{ID}{number}", card=CARD, who=who, code=5)
            recovered = kaguan(kind, "recover", f"{ID}{number}", "--ask-pin", card=CARD, who=who, pins=["123456"])
        else:
            recovered = kaguan(kind, "recover", f"{ID}{number}", card=CARD, who=who)
        assert values(recovered)["phase"] == phase
        assert "already" in kaguan(kind, "recover", f"{ID}{number}", card=CARD, who=who, code=5)
    assert json.loads(kaguan("ledger", "open", "--json")) == []
    kaguan("ledger", "verify")


def begin(counter, kind, link, transfer_id):
    """What the torn program did."""
    if kind == "load":
        counter.outlet.load(link, transfer_id, 100, FIRST_PIN)
    else:
        counter.pharmacy.purchase(link, transfer_id, drugs(100), FIRST_PIN)


def test_bad_words_are_refused_with_what_to_do(kaguan, tmp_path):
    save_image(tmp_path / f"{CARD}.card", new_card().image)
    for words, code, why in (
        (("load", "make", "1,5"), 2, "two decimals"),
        (("purchase", "make", "drugs=1"), 2, "is none of drug, treatment"),
        (("load", "make", "1.5", "--terminal", "12"), 2, "12 hex digits"),
        (("load", "make", "1.5", "--reader", "0"), 2, "name one card"),
        (("pin", "change"), 7, "0 PINs were given, 2 are needed"),
        (("card", "read"), 5, "no card"),
        (("load", "recover", f"{ID}1"), 5, "no transfer"),
    ):
        assert why in kaguan(*words, card=CARD, code=code)


def test_what_neither_can_explain_is_reconciled_by_two_at_the_command_line(kaguan):
    counter, clerk, supervisor = kaguan.counter, CLERK, ("supervisor", "SSB")
    torn = tearing(counter.funded(), during="CREDIT FOR LOAD", after_writes=0)
    with pytest.raises(Exception, match="the card was lost"):
        begin(counter, "load", torn, UUID(f"{ID}1"))
    words = ("--outcome", "void", "--reason", "never reached", "--evidence", "journal, line 7")
    asked = ("reconcile", "ask", f"{ID}1", *words, "--request-id", f"{ID}2")
    assert "no right to reconcile" in kaguan(*asked, code=5)
    assert values(kaguan(*asked, who=clerk))["outcome"] == "void"
    assert "no right to reconcile" in kaguan("reconcile", "list", code=5)
    (waiting,) = json.loads(kaguan("reconcile", "list", "--json", who=clerk))
    assert (waiting["reconciliation_id"], waiting["card_no"], waiting["asked_by"]) == (f"{ID}2", CARD, "clerk")
    assert "no right to approve" in kaguan("reconcile", "approve", f"{ID}2", who=clerk, code=5)
    assert values(kaguan("reconcile", "approve", f"{ID}2", who=supervisor))["phase"] == "void"
    assert json.loads(kaguan("ledger", "open", "--json")) == []
    assert json.loads(kaguan("reconcile", "list", "--json", who=supervisor)) == []


def test_a_load_says_its_id_before_it_begins(kaguan, tmp_path):
    save_image(tmp_path / f"{CARD}.card", new_card().image)
    assert f"load {ID}1 begins" in kaguan(
        "load", "make", "1", "--request-id", f"{ID}1", card=CARD, pins=["123456"], code=5
    )


def test_help_loads_neither_django_nor_card():
    code = "import sys; import kaguan.cms.cli; sys.exit(bool({'django', 'kaguan.emulator.card'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
