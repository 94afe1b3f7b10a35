"""Blocked and unblocked, by whoever holds the keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.cards import PROFILE
from kaguan.terminal.conversations.blocking import block_application, block_card, unblock_application
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.refusals import CardBlocked, PinRefused
from kaguan.terminal.script import converse
from terminal.counter import balance_fen, keys, new_card


def test_a_blocked_application_rests_until_it_is_unblocked() -> None:
    card = new_card(700)
    converse(card, block_application(keys()))
    card.reset()
    with pytest.raises(CardBlocked):
        converse(card, select_medical(PROFILE))
    assert converse(card, read_identity(PROFILE)).card_no == "A00000011"
    converse(card, unblock_application(keys()))
    assert balance_fen(card) == 700


def test_an_application_blocked_for_ever_stays_so() -> None:
    card = new_card()
    converse(card, block_application(keys(), for_ever=True))
    card.reset()
    with pytest.raises(CardBlocked):
        converse(card, unblock_application(keys()))


def test_a_blocked_card_answers_nothing_any_more() -> None:
    card = new_card()
    converse(card, block_card(keys()))
    card.reset()
    for script in (read_identity(PROFILE), select_medical(PROFILE)):
        with pytest.raises(CardBlocked):
            converse(card, script)


@pytest.mark.parametrize("block", [block_application, block_card])
def test_another_regions_keys_block_nothing(block) -> None:
    card = new_card(700)
    before = card.image
    with pytest.raises(PinRefused):
        converse(card, block(replace(keys(), region="990200")))
    assert balance_fen(card) == 700
    assert card.image.lifecycle is before.lifecycle
