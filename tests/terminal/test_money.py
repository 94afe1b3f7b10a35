"""Load and purchase over wires that break and power that fails: the card's proof and its balance always agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PROFILE
from kaguan.apdu.errors import CardLost
from kaguan.apdu.link import Link
from kaguan.terminal.conversations.load import LoadOffer, begin_load, credit_load, prove_load
from kaguan.terminal.conversations.purchase import PurchaseOffer, begin_purchase, debit, prove_purchase
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.script import converse
from terminal.counter import TERMINAL, WHEN, Counting, Losing, balance_fen, keys, new_card, ready_to_pay

pytestmark = pytest.mark.slow

BEFORE = 5_000
TERMINAL_SEQUENCE = 7
AMOUNTS = st.integers(1, BEFORE)


@dataclass
class Load:
    """A load at the counter, as far as it came."""

    amount_fen: int
    moved_fen: int = field(init=False)
    offer: LoadOffer | None = None

    def __post_init__(self) -> None:
        self.moved_fen = self.amount_fen

    def do(self, link: Link) -> bytes:
        converse(link, ready_to_pay())
        self.offer = converse(link, begin_load(keys(), self.amount_fen, TERMINAL))
        return converse(link, credit_load(keys(), self.offer, WHEN))

    def prove(self, link: Link) -> bytes | None:
        assert self.offer is not None
        return converse(link, prove_load(keys(), self.offer, WHEN))


@dataclass
class Purchase:
    """A purchase at the counter, as far as it came."""

    amount_fen: int
    moved_fen: int = field(init=False)
    offer: PurchaseOffer | None = None

    def __post_init__(self) -> None:
        self.moved_fen = -self.amount_fen

    def do(self, link: Link) -> bytes:
        converse(link, ready_to_pay())
        self.offer = converse(link, begin_purchase(self.amount_fen, TERMINAL))
        return converse(link, debit(keys(), self.offer, TERMINAL_SEQUENCE, WHEN))

    def prove(self, link: Link) -> bytes | None:
        assert self.offer is not None
        return converse(link, prove_purchase(keys(), self.offer, TERMINAL_SEQUENCE, WHEN))


Transaction = Callable[[int], Load | Purchase]
BOTH = pytest.mark.parametrize("transaction", [Load, Purchase])


def settled(link: Link, transaction: Load | Purchase) -> bool:
    """True when the card did the transaction; its own proof, asked for after a power-up, agrees with its balance."""
    link.reset()
    proof = None
    if transaction.offer is not None:
        converse(link, select_medical(PROFILE))
        proof = transaction.prove(link)
    done = proof is not None
    assert balance_fen(link) == BEFORE + (transaction.moved_fen if done else 0)
    return done


@BOTH
@given(amount_fen=AMOUNTS)
def test_a_transaction_moves_its_amount(transaction: Transaction, amount_fen: int) -> None:
    card, deal = new_card(BEFORE), transaction(amount_fen)
    tac = deal.do(card)
    assert settled(card, deal)
    converse(card, select_medical(PROFILE))
    assert deal.prove(card) == tac


@BOTH
@pytest.mark.parametrize("heard", [False, True])
@given(amount_fen=AMOUNTS)
def test_after_a_lost_answer_the_proof_tells_the_truth(transaction: Transaction, heard: bool, amount_fen: int) -> None:
    counting = Counting(new_card(BEFORE))
    transaction(amount_fen).do(counting)
    for at in range(counting.commands):
        card, deal = new_card(BEFORE), transaction(amount_fen)
        with pytest.raises(CardLost):
            deal.do(Losing(card, at, heard=heard))
        last = at == counting.commands - 1
        assert settled(card, deal) == (heard and last)


@BOTH
@given(amount_fen=AMOUNTS)
def test_after_a_power_cut_the_proof_tells_the_truth(transaction: Transaction, amount_fen: int) -> None:
    card = new_card(BEFORE)
    transaction(amount_fen).do(card)
    writes_at_most = 32
    outcomes = set()
    for writes in range(writes_at_most):
        card, deal = new_card(BEFORE), transaction(amount_fen)
        card.power.cut_after(writes)
        with suppress(CardLost):
            deal.do(card)
        card.power.restore()
        outcomes.add(settled(card, deal))
    assert outcomes == {False, True}


@BOTH
@given(first=AMOUNTS, second=AMOUNTS)
def test_a_repeated_transaction_is_another_one(transaction: Transaction, first: int, second: int) -> None:
    """Only the last transaction is proved; asking for the one before finds nothing."""
    card = new_card(2 * BEFORE)
    one, other = transaction(first), transaction(second)
    one.do(card)
    card.reset()
    other.do(card)
    assert one.prove(card) is None
    assert other.prove(card) is not None
    assert balance_fen(card) == 2 * BEFORE + one.moved_fen + other.moved_fen
