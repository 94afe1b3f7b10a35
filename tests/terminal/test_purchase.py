"""Purchase, the terminal's side, judged by sums that another library does."""

from __future__ import annotations

import pytest

from card.cards import CARD_KEY
from card.oracle import fold, mac, tdes
from kaguan.apdu.chaining import Layer
from kaguan.terminal.conversations.purchase import begin_purchase, debit
from kaguan.terminal.refusals import CardRefused, NotGenuine
from kaguan.terminal.script import converse
from terminal.counter import TERMINAL, WHEN, keys, new_card, ready_to_pay

FIELDS = bytes.fromhex("0000006405") + TERMINAL
MOMENT = bytes.fromhex("20240101120000")


class Spying(Layer):
    """A link that keeps the last command and answer, and may spoil a byte of the answer."""

    spoiled: int | None = None

    def transceive(self, command: bytes) -> bytes:
        answer = bytearray(self.link.transceive(command))
        if self.spoiled is not None:
            answer[self.spoiled] ^= 0x01
        self.command, self.answer = command, bytes(answer)
        return self.answer


def test_macs_and_tac_are_what_another_library_makes() -> None:
    link = Spying(new_card(1_000))
    converse(link, ready_to_pay())
    offer = converse(link, begin_purchase(100, TERMINAL))
    tac = converse(link, debit(keys(), offer, 0x01020304, WHEN))
    session = tdes(CARD_KEY, offer.random + offer.sequence.to_bytes(2, "big") + bytes.fromhex("0304"))
    mac1 = mac(session, FIELDS + MOMENT)
    assert link.command == bytes.fromhex("805401000F01020304") + MOMENT + mac1 + b"\x08"
    assert tac == mac(fold(CARD_KEY), FIELDS + bytes.fromhex("01020304") + MOMENT)
    assert link.answer == tac + mac(session, FIELDS[:4]) + b"\x90\x00"


@pytest.mark.parametrize("place", range(8))
def test_an_answer_that_was_changed_is_not_genuine(place: int) -> None:
    link = Spying(new_card(1_000))
    converse(link, ready_to_pay())
    offer = converse(link, begin_purchase(100, TERMINAL))
    link.spoiled = place
    with pytest.raises(NotGenuine, match="TAC" if place < 4 else "MAC2"):
        converse(link, debit(keys(), offer, 1, WHEN))


def test_more_than_the_wallet_holds_is_refused() -> None:
    card = new_card(99)
    converse(card, ready_to_pay())
    with pytest.raises(CardRefused, match="9401, insufficient funds"):
        converse(card, begin_purchase(100, TERMINAL))
