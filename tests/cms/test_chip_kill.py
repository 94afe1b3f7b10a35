"""kill -9 at the command by which the chip does it, in every step; and one card asked by two readers at once."""

from __future__ import annotations

import os
import signal
from threading import Lock
from uuid import uuid4

import pytest

from cms.chip_steps import STEPS, ask_again, never_silent, open_things, settled_at_last
from cms.counter import FIRST_PIN, NEW_PIN, Counter, drugs
from cms.siege.processes import all_gone, apart
from cms.test_chip_trouble import recover_transfers
from cms.threads import at_once
from cms.town import town_again
from kaguan.apdu.chaining import Layer
from kaguan.emulator.imagefile import FileCard, save_image

pytestmark = pytest.mark.slow


class Striking(Layer):
    """A wire at whose end the process dies, before or after the chip heard the command by which it does the step."""

    def __init__(self, link, instruction: int, *, heard: bool) -> None:
        super().__init__(link)
        self.instruction, self.heard = instruction, heard

    def transceive(self, command):
        if command[1] != self.instruction:
            return self.link.transceive(command)
        if self.heard:
            self.link.transceive(command)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process goes on")


def strike(card_file, step, request_id, *, heard) -> None:
    """The process that did the step was killed at its command."""

    def act():
        with FileCard(card_file) as card:
            step.act(Counter(town_again()), Striking(card, step.instruction, heard=heard), request_id)

    assert apart(act).killed
    all_gone()


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_a_kill_between_books_and_chip_is_never_silent(lasting_town, tmp_path, name, heard):
    counter, step, asked = Counter(lasting_town), STEPS[name], uuid4()
    path = tmp_path / "card.card"
    save_image(path, step.prepare(counter).image)
    strike(path, step, asked, heard=heard)
    with FileCard(path) as card:
        assert open_things(step.card_no), "a step that was begun stands open"
        never_silent(counter, card, step.card_no)
        ask_again(counter, step, card, asked)
        settled_at_last(counter, card, step.card_no)


class Shared(Layer):
    """One of two readers that reach for one card: a command at a time, in whichever order."""

    def __init__(self, link, lock: Lock) -> None:
        super().__init__(link)
        self.lock = lock

    def transceive(self, command):
        with self.lock:
            return self.link.transceive(command)

    def reset(self):
        with self.lock:
            return self.link.reset()


@pytest.mark.parametrize("round_", range(4))
def test_one_request_sent_twice_at_once_moves_money_once(lasting_town, round_):
    counter, lock, asked = Counter(lasting_town), Lock(), uuid4()
    card = counter.funded()
    before = counter.chip_fen(card)

    def load():
        counter.outlet.load(Shared(card, lock), asked, 300, FIRST_PIN)

    at_once(load, load)
    never_silent(counter, card)
    recover_transfers(counter, card)
    settled_at_last(counter, card)
    assert counter.chip_fen(card) in {before, before + 300}


@pytest.mark.parametrize("round_", range(4))
def test_two_places_at_once_leave_books_and_chip_agreeing_or_a_case(lasting_town, round_):
    counter, lock = Counter(lasting_town), Lock()
    card = counter.funded()
    at_once(
        lambda: counter.outlet.load(Shared(card, lock), uuid4(), 300, FIRST_PIN),
        lambda: counter.pharmacy.purchase(Shared(card, lock), uuid4(), drugs(200), FIRST_PIN),
        lambda: counter.pharmacy.change_pin(Shared(card, lock), uuid4(), FIRST_PIN, NEW_PIN),
    )
    never_silent(counter, card)
    recover_transfers(counter, card)
    never_silent(counter, card)
