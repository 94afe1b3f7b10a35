"""Finished emulated cards between two stations that both believe them theirs."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from card.cards import PROFILE
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.station.stock import EmulatedStock, stored_cards

CARD_NO = "A0000001X"


def test_a_station_that_wakes_up_late_throws_away_nothing_but_its_own(tmp_path: Path) -> None:
    """It slept after it had stored the card; another took the card up, and is about to hand it out."""
    sleeper, other = EmulatedStock(PROFILE, tmp_path), EmulatedStock(PROFILE, tmp_path)
    card = sleeper.take(1, lambda: None)
    sleeper.keep(card, CARD_NO)
    taken_up = other.stored(CARD_NO)
    assert taken_up is not None
    assert taken_up.atr == card.atr
    other.keep(taken_up, CARD_NO)
    sleeper.discard(card, CARD_NO)
    other.hand_out(taken_up, CARD_NO)
    assert load_image(tmp_path / f"{CARD_NO}.card").atr == card.atr
    assert not list(stored_cards(tmp_path))


def test_a_stored_card_is_taken_up_once(tmp_path: Path) -> None:
    stocks = [EmulatedStock(PROFILE, tmp_path) for _ in range(3)]
    stocks[0].keep(stocks[0].take(1, lambda: None), CARD_NO)
    assert stocks[1].stored("B0000001X") is None
    assert stocks[1].stored(CARD_NO) is not None
    ((path, card_no, serial),) = stored_cards(tmp_path)
    assert (card_no, bytes.fromhex(serial)) == (CARD_NO, stocks[0].serial(1))
    path.write_bytes(path.read_bytes()[:-1])
    assert stocks[2].stored(CARD_NO) is None, "damaged: to be made again"
    assert not list(stored_cards(tmp_path))


def test_a_folder_of_many_cards_is_looked_through_one_by_one(tmp_path: Path) -> None:
    for number in range(3_000):
        (tmp_path / f"A{number:08}.card").touch()
    tracemalloc.start()
    try:
        assert not list(stored_cards(tmp_path))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 << 10  # their names alone are more
