"""What killed stations left in a folder of emulated cards."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kaguan.durable import clear_parts
from kaguan.personalization.job.history import past_of
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import Fate, State
from kaguan.personalization.station.stock import stored_cards

_OPEN = (State.PENDING, State.CLAIMED)


def sort_leftover(job: Job, cards: Path) -> None:
    """Of the cards that killed stations stored, those that the job calls good have their names, and those whose row was
    settled without them are gone; a row that is still open takes its own up again. Only for who is alone in there."""
    clear_parts(cards)
    for path, card_no, serial in stored_cards(cards):
        past = past_of(job, bytes.fromhex(serial))
        with suppress(FileNotFoundError):
            if past is not None and past.fate is Fate.GOOD:
                path.replace(path.with_name(f"{card_no}.card"))
            elif past is None or past.row not in _OPEN:
                path.unlink()
