"""Card and host show each other their keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import CARD_KEY, PROFILE
from card.oracle import tdes
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.status import OK
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.refusals import NotGenuine, PinBlocked, PinRefused
from kaguan.terminal.script import converse
from terminal.counter import in_ssse, keys, new_card

EIGHT = st.binary(min_size=8, max_size=8)


def test_the_answer_to_a_challenge_is_the_known_one() -> None:
    """The specimen's key under the challenge 11..88: worked out by hand from LD/T 32.5."""
    script = authenticate_as(keys(), "SSSE.PUK")
    assert bytes(next(script)).hex() == "0084000008"
    sent = script.send(ResponseApdu(bytes.fromhex("1122334455667788"), OK))
    cryptogram = tdes(tdes(CARD_KEY, bytes.fromhex("1122334455667788")), bytes(8))
    assert bytes(sent) == bytes.fromhex("0082000610") + cryptogram + bytes(8)


@given(factor=EIGHT, original=EIGHT)
def test_a_genuine_card_proves_it(factor: bytes, original: bytes) -> None:
    card = new_card()
    converse(card, in_ssse())
    converse(card, prove_genuine(keys(), factor, original))


@given(factor=EIGHT, original=EIGHT)
def test_another_cards_keys_do_not_fit(factor: bytes, original: bytes) -> None:
    card, other = new_card(), replace(keys(), atr=bytes(20))
    converse(card, in_ssse())
    with pytest.raises(NotGenuine):
        converse(card, prove_genuine(other, factor, original))


def test_a_wrong_key_costs_a_try_until_none_is_left() -> None:
    card, other = new_card(), replace(keys(), region="990200")
    converse(card, in_ssse())
    for left in range(PROFILE.key("SSSE.UK").tries - 1, -1, -1):
        with pytest.raises(PinRefused) as refused:
            converse(card, authenticate_as(other, "SSSE.UK"))
        assert refused.value.tries_left == left
    for owner in (other, keys()):
        with pytest.raises(PinBlocked):
            converse(card, authenticate_as(owner, "SSSE.UK"))
