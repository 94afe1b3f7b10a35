"""Cases, locks, unreadable cards and blacklists, told in the words that people type."""

from __future__ import annotations

import json

import pytest

from cms.counter import CARD, SUCCESSOR, behind_the_rules
from cms.test_counter_door import (
    CLERK,
    DOCUMENT,
    ID,
    TELLER,
    in_hand,
    kaguan,
    store,
    values,
)
from kaguan.emulator.imagefile import FileCard, save_image

pytestmark = pytest.mark.slow

SUPERVISOR = ("supervisor", "SSB")
TERMINAL = "2001010000FF"

__all__ = ["kaguan", "store"]


def test_a_case_is_listed_shown_and_settled_by_two(kaguan, tmp_path):
    counter = kaguan.counter
    save_image(tmp_path / f"{CARD}.card", counter.funded().image)
    with FileCard(tmp_path / f"{CARD}.card") as card:
        behind_the_rules(counter, "load", card, 700, booked=False)
    assert values(kaguan("card", "read", card=CARD))["open_cases"] == "purse"
    (case,) = json.loads(kaguan("case", "list", "--card-no", CARD, "--json"))
    assert (case["books"], case["chip"], case["more_fen"]) == ("10000 fen", "10700 fen", 700)
    assert (case["operator"], case["institution"]) == TELLER
    words = ("case", "settle", case["case_id"], "--remedy", "books follow the chip", "--reason", "journal, line 7")
    assert "no right to reconcile" in kaguan(*words, code=5)
    kaguan(*words, "--request-id", f"{ID}1", who=CLERK)
    kaguan("approval", "approve", f"{ID}1", who=CLERK, code=5)
    kaguan("approval", "approve", f"{ID}1", who=SUPERVISOR)
    told = values(kaguan("case", "show", case["case_id"]))
    assert (told["state"], told["approval"]) == ("settled", f"{ID}1")
    assert json.loads(kaguan("case", "list", "--json")) == []
    assert len(json.loads(kaguan("case", "list", "--settled", "--json"))) == 1
    read = values(kaguan("card", "read", card=CARD))
    assert read["chip_fen"] == read["books_fen"] == "10700"
    kaguan("ledger", "verify")
    kaguan("audit", "verify")


def test_chip_and_card_are_locked_and_unlocked(kaguan, tmp_path):
    in_hand(kaguan, tmp_path, CARD)
    kaguan("card", "activate", *DOCUMENT, card=CARD)
    assert values(kaguan("card", "lock-chip", "--reason", "2", card=CARD, who=CLERK))["application"] == "3 LOCKED"
    assert values(kaguan("card", "read", card=CARD))["chip"] == "blocked"
    assert values(kaguan("card", "unlock-chip", card=CARD, who=CLERK))["application"] == "1 NORMAL"
    for _ in range(3):
        kaguan("pin", "change", card=CARD, pins=["999999", "246810"], code=3)
    by_machine = ("--channel", "portable machine")
    assert "not by portable machine" in kaguan("pin", "restore", *DOCUMENT, *by_machine, card=CARD, code=5)
    restored = kaguan("pin", "restore", *DOCUMENT, "--paper", "bank card", card=CARD)
    assert values(restored)["pin"] == "0 INITIAL"
    assert values(kaguan("pin", "tries", card=CARD))["pin_tries_left"] == "3"


def test_a_card_that_nobody_can_read_is_registered(kaguan):
    kaguan.counter.active()
    unreadable = ("replacement", "unreadable", CARD, "--why", "broken in two")
    assert "still in use" in kaguan(*unreadable, code=5)
    kaguan(
        *("replacement", "exchange", CARD, SUCCESSOR, "--reason", "02", "--order-no", "X1"),
        *("--issue-date", "2026-02-03", "--valid-until", "2036-01-05"),
        who=CLERK,
    )
    assert values(kaguan(*unreadable))["application"] == "9 CANCELLED"


def test_a_terminal_is_pushed_a_list_and_takes_it_once(kaguan, tmp_path):
    counter = kaguan.counter
    card_no = counter.town.active_card()
    key, made, terminal = tmp_path / "authority.pem", tmp_path / "list", tmp_path / "terminal.json"
    kaguan("audit", "key", key)
    push = ("blacklist", "push", TERMINAL, "--key", key, "--out", made)
    assert "at which institution" in kaguan(*push, who=CLERK, code=5)
    assert values(kaguan(*push, "--at", "PHARMACY-1", who=CLERK))["sequence"] == "0"
    take = ("blacklist", "take", TERMINAL, made, "--public-key", f"{key}.pub", "--terminal-file", terminal)
    assert "has list 0: 0 cards are refused" in kaguan(*take)
    kaguan("loss", "temporary", card_no)
    number = values(kaguan(*push, who=CLERK))["sequence"]
    assert f"has list {number}: 1 cards are refused" in kaguan(*take)
    assert "no newer" in kaguan(*take, code=5)
    made.write_bytes(made.read_bytes().replace(b"temporary", b"permanent"))
    assert "the authority signed" in kaguan(*take, code=7)
    (row,) = json.loads(kaguan("blacklist", "show", "--region", "990100", "--json"))
    assert (row["card_no"], row["cause"]) == (card_no, "temporary loss")
    (row,) = json.loads(kaguan("blacklist", "show", "--region", "990100", "--terminals", "--json"))
    assert (row["terminal_no"], row["sequence"]) == (TERMINAL, int(number))
