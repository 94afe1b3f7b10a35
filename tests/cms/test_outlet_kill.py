"""kill -9 at any moment between books and chip: what was on its way is found out, and nothing is lost or doubled."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from django.db import connection

from cms.counter import CARD, FIRST_PIN, Counter, account_fen, drugs
from cms.siege.processes import Running, all_gone
from cms.town import town_again
from kaguan.cms.ledger.accounts import balance, merchant_account
from kaguan.cms.models import Transfer
from kaguan.cms.queries import open_reservations
from kaguan.emulator.imagefile import FileCard, save_image

KILLS = 20
START_FEN = 10_000


def trade(card_file: Path, seed: int) -> None:
    """Loads and purchases of a few fen, never ending."""
    dice = Random(seed)
    counter = Counter(town_again())
    with FileCard(card_file) as card:
        while True:
            transfer_id, amount_fen = UUID(int=dice.getrandbits(128)), dice.randint(1, 9)
            if dice.random() < 0.5:
                counter.outlet.load(card, transfer_id, amount_fen, FIRST_PIN)
            else:
                counter.pharmacy.purchase(card, transfer_id, drugs(amount_fen), FIRST_PIN)


def trade_until_killed(card_file: Path, seed: int, seconds: float) -> None:
    """A process that traded with the card has been killed, so long after it began."""
    connection.close()
    trader = Running(lambda: trade(card_file, seed))
    time.sleep(seconds)
    trader.kill()
    assert trader.ended().killed
    all_gone()


def recover_all(counter, card):
    """How each open transfer ended."""
    ended = []
    for row in open_reservations():
        outlet = counter.outlet if row["kind"] == "load" else counter.pharmacy
        recover = outlet.recover_load if row["kind"] == "load" else outlet.recover_purchase
        ended.append(recover(card, UUID(row["transfer"]), FIRST_PIN).phase)
    return ended


@pytest.mark.slow
def test_a_killed_counter_finds_out_what_the_card_did(lasting_town, tmp_path):
    counter = Counter(lasting_town)
    path = tmp_path / "card.card"
    save_image(path, counter.funded(START_FEN).image)
    whole_fen = account_fen() + START_FEN
    dice = Random(990100)
    ended = []
    for kill in range(KILLS):
        trade_until_killed(path, kill, dice.uniform(0.05, 0.5))
        with FileCard(path) as card:
            ended.append(recover_all(counter, card))
            on_card_fen = counter.agrees(card, CARD)
        paid_fen = balance(merchant_account("PHARMACY-1"))
        assert account_fen() + on_card_fen + paid_fen == whole_fen
    assert all(len(phases) <= 1 for phases in ended)
    assert any(ended), "no kill came between books and chip"
    assert Transfer.objects.filter(phase="settled").count() > KILLS
