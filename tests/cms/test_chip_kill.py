"""kill -9 at the command by which the chip does it, in every step; and one card asked by two readers at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from uuid import uuid4

import pytest
from django.db import connection

from cms.chip_steps import STEPS, ask_again, never_silent, open_things, settled_at_last
from cms.counter import FIRST_PIN, NEW_PIN, Counter, drugs
from cms.test_chip_trouble import recover_transfers
from cms.threads import at_once
from kaguan.apdu.chaining import Layer
from kaguan.emulator.imagefile import FileCard, save_image

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[1]


def struck(database, path, name, request_id, *, heard) -> None:
    """The program that did the step was killed at its command."""
    done = subprocess.run(
        [sys.executable, "-m", "cms.struck", database, path, name, str(request_id), "heard" if heard else "unheard"],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_a_kill_between_books_and_chip_is_never_silent(own_store, lasting_town, tmp_path, name, heard):
    counter, step, asked = Counter(lasting_town), STEPS[name], uuid4()
    path = tmp_path / "card.card"
    save_image(path, step.prepare(counter).image)
    connection.close()
    struck(own_store, path, name, asked, heard=heard)
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
