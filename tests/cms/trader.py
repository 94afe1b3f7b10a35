"""A program that loads and pays with the card in a file until somebody kills it: `trader.py DATABASE CARD SEED`.

It writes a line before its first transaction.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from uuid import UUID

from kaguan.cms.store import open_store


def trade(database: str, card_file: Path, seed: int) -> None:
    """Loads and purchases of a few fen, never ending."""
    open_store(database)
    from cms.counter import FIRST_PIN, Counter, drugs  # noqa: PLC0415 - Django has to be ready
    from cms.town import town_again  # noqa: PLC0415 - Django has to be ready
    from kaguan.emulator.imagefile import FileCard  # noqa: PLC0415 - Django has to be ready

    dice = Random(seed)
    counter = Counter(town_again())
    with FileCard(card_file) as card:
        print("trading", flush=True)  # noqa: T201 - the sign to whoever kills it
        while True:
            transfer_id, amount_fen = UUID(int=dice.getrandbits(128)), dice.randint(1, 9)
            if dice.random() < 0.5:
                counter.outlet.load(card, transfer_id, amount_fen, FIRST_PIN)
            else:
                counter.pharmacy.purchase(card, transfer_id, drugs(amount_fen), FIRST_PIN)


if __name__ == "__main__":
    trade(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
