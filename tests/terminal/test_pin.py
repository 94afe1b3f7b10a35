"""The cardholder's PIN, from the terminal's side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PIN_TRIES, PROFILE
from kaguan.apdu.link import Link
from kaguan.terminal.conversations.pin import change_pin, pin_tries_left, reload_pin, unblock_pin, verify_pin
from kaguan.terminal.conversations.purchase import begin_purchase
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.refusals import NotAuthorised, PinBlocked, PinRefused
from kaguan.terminal.script import converse
from kaguan.vault.secret import Pin
from terminal.counter import PIN, TERMINAL, WRONG_PIN, in_ssse, keys, new_card, ready_to_pay

PINS = st.text("0123456789", min_size=4, max_size=12).map(Pin.of)


def block(card: Link) -> None:
    for left in range(PIN_TRIES - 1, -1, -1):
        with pytest.raises(PinRefused) as refused:
            converse(card, verify_pin(WRONG_PIN))
        assert refused.value.tries_left == left


def test_asking_for_the_tries_costs_none() -> None:
    card = new_card()
    converse(card, in_ssse())
    assert [converse(card, pin_tries_left()) for _ in range(2 * PIN_TRIES)] == [PIN_TRIES] * 2 * PIN_TRIES


def test_wrong_pins_block_and_the_right_one_no_longer_helps() -> None:
    card = new_card()
    converse(card, in_ssse())
    block(card)
    assert converse(card, pin_tries_left()) == 0
    with pytest.raises(PinBlocked):
        converse(card, verify_pin(PIN))


@given(PINS)
def test_a_changed_pin_is_the_only_one(new: Pin) -> None:
    card = new_card()
    converse(card, in_ssse())
    converse(card, change_pin(PIN, new))
    converse(card, verify_pin(new))
    if new != PIN:
        with pytest.raises(PinRefused):
            converse(card, verify_pin(PIN))


def test_an_unblocked_pin_is_the_old_one_with_all_tries() -> None:
    card = new_card()
    converse(card, in_ssse())
    block(card)
    converse(card, unblock_pin(keys()))
    assert converse(card, pin_tries_left()) == PIN_TRIES
    converse(card, verify_pin(PIN))


@given(PINS)
def test_a_reloaded_pin_is_the_new_one_with_all_tries(new: Pin) -> None:
    card = new_card()
    converse(card, in_ssse())
    block(card)
    converse(card, reload_pin(keys(), new))
    assert converse(card, pin_tries_left()) == PIN_TRIES
    converse(card, verify_pin(new))


def test_a_reset_forgets_the_pin() -> None:
    card = new_card()
    converse(card, ready_to_pay())
    converse(card, begin_purchase(0, TERMINAL))
    card.reset()
    converse(card, select_medical(PROFILE))
    with pytest.raises(NotAuthorised):
        converse(card, begin_purchase(0, TERMINAL))
