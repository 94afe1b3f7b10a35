"""Exchanges that others published, played byte for byte on cards with their keys, numbers and random numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.banks import PUBLISHED, said_by
from kaguan.apdu.tape import Verdict, parse, run
from kaguan.emulator.card import EmulatedCard

TAPES = sorted(tape for tape in PUBLISHED.glob("*.apdu") if "# card:" in tape.read_text(encoding="utf-8"))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_published_exchange(tape: Path) -> None:
    image, random = said_by(tape)
    card = EmulatedCard(image, random=random)
    exchanges = list(run(parse(tape.read_text(encoding="utf-8"), file=tape.name), [card]))
    assert exchanges
    assert all(exchange.verdict is Verdict.MATCHED for exchange in exchanges if exchange.command)
    with pytest.raises(Exception, match="no more were given"):
        random(4)  # the card has used every published number
