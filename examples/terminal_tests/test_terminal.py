"""What the terminal must do, with good cards and with bad ones."""

import pytest

from kaguan.apdu.errors import CardLost
from terminal import Refused, Terminal


def test_the_holders_name_is_read(card):
    terminal = Terminal(card)
    terminal.select()
    assert terminal.holder_name()
    assert card.changed_only()


def test_a_wrong_pin_costs_a_try_and_nothing_else(card):
    terminal = Terminal(card)
    terminal.select()
    with pytest.raises(Refused, match="63C"):
        terminal.show_pin("654321")
    assert card.changed_only("pins/SSSE")


def test_no_try_is_lost_when_the_answer_is(card):
    terminal = Terminal(card)
    terminal.select()
    before = card.snapshot()
    card.faults("lose@VERIFY")
    with pytest.raises(CardLost):
        terminal.show_pin("123456")
    card.reset()
    terminal.select()
    terminal.show_pin("123456")
    card.restore(before)
    assert card.changed_only()


@pytest.mark.card(random=["1122334455667788"])
def test_randomness_is_dealt(card):
    assert card.send("0084000008").data.hex() == "1122334455667788"
