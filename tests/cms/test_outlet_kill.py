"""kill -9 at any moment between books and chip: what was on its way is found out, and nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from cms.counter import CARD, FIRST_PIN, Counter, account_fen
from kaguan.cms.ledger.accounts import balance, merchant_account
from kaguan.cms.models import Transfer
from kaguan.cms.queries import open_reservations
from kaguan.emulator.imagefile import FileCard, save_image

KILLS = 20
START_FEN = 10_000
TESTS = Path(__file__).parents[1]


def trade_until_killed(database, card, seed, seconds):
    """The trader has been killed, so long after it began."""
    trader = subprocess.Popen(
        [sys.executable, "-m", "cms.trader", database, str(card), str(seed)],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with trader:
        assert trader.stdout.readline() == "trading\n"
        time.sleep(seconds)
        assert trader.poll() is None
        trader.kill()


def recover_all(counter, card):
    """How each open transfer ended."""
    ended = []
    for row in open_reservations():
        outlet = counter.outlet if row["kind"] == "load" else counter.pharmacy
        recover = outlet.recover_load if row["kind"] == "load" else outlet.recover_purchase
        ended.append(recover(card, UUID(row["transfer"]), FIRST_PIN).phase)
    return ended


@pytest.mark.slow
def test_a_killed_counter_finds_out_what_the_card_did(own_store, lasting_town, tmp_path):
    counter = Counter(lasting_town)
    path = tmp_path / "card.card"
    save_image(path, counter.funded(START_FEN).image)
    whole_fen = account_fen() + START_FEN
    dice = Random(990100)
    ended = []
    for kill in range(KILLS):
        trade_until_killed(own_store, path, kill, dice.uniform(0.02, 1.0))
        with FileCard(path) as card:
            ended.append(recover_all(counter, card))
            on_card_fen = counter.agrees(card, CARD)
        paid_fen = balance(merchant_account("PHARMACY-1"))
        assert account_fen() + on_card_fen + paid_fen == whole_fen
    assert all(len(phases) <= 1 for phases in ended)
    assert any(ended), "no kill came between books and chip"
    assert Transfer.objects.filter(phase="settled").count() > KILLS
