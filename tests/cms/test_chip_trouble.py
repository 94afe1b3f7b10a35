"""Trouble at any command of any step with a chip: books and chip agree afterwards, or something is open about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from uuid import UUID, uuid4

import pytest

from cms.chip_steps import STEPS, ask_again, never_silent, open_things, settled_at_last, tried
from cms.counter import FIRST_PIN, Counter
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, KaguanError
from kaguan.cms.queries import open_reservations
from kaguan.emulator.card import EmulatedCard
from terminal.counter import Counting, Losing

pytestmark = pytest.mark.slow


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def commands_of(counter, step, image) -> int:
    """How many commands the step says to the card, from the first to the last one of reading back."""
    with tried():
        card = Counting(EmulatedCard(image))
        step.act(counter, card, uuid4())
        settled_at_last(counter, card.link, step.card_no)
        return card.commands


@pytest.mark.parametrize("name", STEPS)
def test_an_answer_lost_at_any_command_is_never_silent(counter, name):
    step = STEPS[name]
    image = step.prepare(counter).image
    lost = 0
    for at in range(commands_of(counter, step, image)):
        for heard in (False, True):
            with tried():
                card, asked = EmulatedCard(image), uuid4()
                with suppress(CardLost):
                    step.act(counter, Losing(card, at, heard=heard), asked)
                lost += bool(open_things(step.card_no))
                never_silent(counter, card, step.card_no)
                ask_again(counter, step, card, asked)
                settled_at_last(counter, card, step.card_no)
    assert lost, "no loss came between books and chip"


class Between(Layer):
    """A reader whose card is pulled at one command, used elsewhere, and put back, or kept."""

    def __init__(self, link, at: int, elsewhere: Callable[[], object], *, put_back: bool) -> None:
        super().__init__(link)
        self.left, self.elsewhere, self.put_back = at, elsewhere, put_back

    def transceive(self, command):
        self.left -= 1
        if self.left == -1:
            with suppress(KaguanError):
                self.elsewhere()
            self.link.reset()
        if self.left < 0 and not self.put_back:
            raise CardLost("a test")
        return self.link.transceive(command)


PAIRS = [
    ("load", "purchase"),
    ("load", "load"),
    ("purchase", "load"),
    ("purchase", "lock"),
    ("change PIN", "purchase"),
    ("lock", "load"),
    ("unlock", "purchase"),
    ("activate", "change PIN"),
    ("reset PIN", "restore PIN"),
]


def recover_transfers(counter, card):
    """Somebody at each place finds out what became of what was begun there."""
    for row in open_reservations():
        desk = counter.pharmacy if row["kind"] == "purchase" else counter.outlet
        recover = desk.recover_purchase if row["kind"] == "purchase" else desk.recover_load
        with suppress(KaguanError):
            recover(card, UUID(row["transfer"]), FIRST_PIN)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_two_outlets_with_one_card_do_not_lose_each_other(counter, here, there):
    do_not_lose_each_other(counter, here, there, put_back=False)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(("here", "there"), PAIRS)
def test_a_card_that_comes_back_from_the_other_outlet_is_not_lost(counter, here, there):
    do_not_lose_each_other(counter, here, there, put_back=True)


def do_not_lose_each_other(counter, here, there, *, put_back):
    """At whatever command the other outlet acts, with the card put back or kept, no difference is silent."""
    step, other = STEPS[here], STEPS[there]
    image = step.prepare(counter).image
    for at in count():
        with tried():
            card, asked = EmulatedCard(image), uuid4()
            between = Between(card, at, partial(other.act, counter, card, uuid4()), put_back=put_back)
            with suppress(KaguanError):
                step.act(counter, between, asked)
            never_silent(counter, card)
            recover_transfers(counter, card)
            ask_again(counter, step, card, asked)
            never_silent(counter, card)
        if between.left >= 0:
            break
    assert at > 1


@pytest.mark.parametrize("name", STEPS)
def test_asked_twice_the_chip_is_told_once(counter, name):
    step = STEPS[name]
    card, asked = step.prepare(counter), uuid4()
    first = step.act(counter, card, asked)
    after = card.image
    with suppress(KaguanError):  # a dead chip has nothing more to say
        assert step.act(counter, card, asked) == first
    assert card.image == after
    settled_at_last(counter, card, step.card_no)
