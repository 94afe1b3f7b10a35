"""The bureau's line at a real PC/SC reader, with somebody who changes the cards as the line asks for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from card.cards import PROFILE, specimen
from kaguan.card_os.image import CardImage
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.stock import blank_chip
from kaguan.emulator.vpcd import InsertedCard
from kaguan.personalization.order.returnfile import read_return
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from outside.readers import Readers, environment

ORDER = Path(__file__).parents[2] / "examples" / "order-3.zip"


class Operator:
    """Does what the line says: puts the next chip in, takes the card out."""

    def __init__(self, readers: Readers, chips: Iterator[CardImage]) -> None:
        self._port = readers.ports[0]
        self._chips = chips
        self._inserted: InsertedCard | None = None
        self.card: EmulatedCard | None = None
        self.finished: list[EmulatedCard] = []
        self.heard: list[str] = []

    def hear(self, line: str) -> None:
        """Do what the line says."""
        self.heard.append(line)
        if "put a" in line:
            self.card = EmulatedCard(next(self._chips))
            self._inserted = InsertedCard(self.card, port=self._port)
        if "take it out" in line:
            assert self._inserted is not None
            assert self.card is not None
            self._inserted.pull_out()
            self._inserted = None
            if "is finished" in line:
                self.finished.append(self.card)

    def leave(self) -> None:
        """Nothing is left in the reader."""
        if self._inserted is not None:
            self._inserted.pull_out()


@pytest.mark.slow
def test_an_order_is_written_onto_chips_in_a_reader(readers: Readers, tmp_path: Path) -> None:
    """One of the chips is somebody's card, and stays as it is."""
    blanks = (blank_chip(PROFILE, bytes((38, 17, 1, 1, 1, number))) for number in range(9))
    somebodys = specimen()
    operator = Operator(readers, iter([next(blanks), somebodys, *blanks]))
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(ORDER), "--out", str(tmp_path)]
    command += ["--backend", "pcsc", "--reader", readers.names[0]]
    line = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(readers) | {"PYTHONUNBUFFERED": "1"}
    )
    try:
        assert line.stdout is not None
        for said in line.stdout:
            operator.hear(said)
        assert line.wait(60) == 0, operator.heard
    finally:
        line.kill()
        line.wait()
        line.stdout.close()
        operator.leave()
    with (tmp_path / "return-good.txt").open("rb") as file:
        rows = list(read_return(file))
    on_cards = [converse(card, read_identity(PROFILE)).card_no for card in map(repowered, operator.finished)]
    assert sorted(on_cards) == sorted(row.card_no for row in rows)
    assert len(rows) == 3
    assert {row.atr for row in rows} == {card.atr.hex().upper() for card in operator.finished}
    assert any("may be somebody's card" in said for said in operator.heard)


def repowered(card: EmulatedCard) -> EmulatedCard:
    """The card with power on it."""
    card.reset()
    return card
