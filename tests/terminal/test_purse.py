"""Balance and log of the medical wallet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from card.cards import PROFILE
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.conversations.purse import read_balance, read_log
from kaguan.terminal.script import converse
from terminal.counter import TERMINAL, WHEN, keys, new_card, ready_to_pay

REMEMBERED = PROFILE.file("DF04", "EF08").record_count


@given(st.integers(0, 99_999_999))
def test_the_balance_is_what_the_wallet_holds(balance_fen: int) -> None:
    card = new_card(balance_fen)
    converse(card, ready_to_pay())
    assert converse(card, read_balance()) == balance_fen


def test_a_new_card_remembers_nothing() -> None:
    card = new_card()
    converse(card, ready_to_pay())
    assert converse(card, read_log(PROFILE)) == []


def test_the_log_has_the_last_purchases_newest_first() -> None:
    card = new_card(10_000)
    purchases = REMEMBERED + 3
    converse(card, ready_to_pay())
    for number in range(1, purchases + 1):
        offer = converse(card, begin_purchase(number, TERMINAL))
        converse(card, debit(keys(), offer, number, WHEN))
    log = converse(card, read_log(PROFILE))
    assert len(log) == REMEMBERED
    assert [record.sequence_number for record in log] == list(range(purchases - 1, purchases - 1 - REMEMBERED, -1))
    assert [record.account_fen for record in log] == list(range(purchases, purchases - REMEMBERED, -1))
    assert {(record.terminal, record.moment) for record in log} == {(TERMINAL.hex(), "20240101120000")}
