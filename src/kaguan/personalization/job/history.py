"""What the database knows of a chip that turns up."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, select

from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import Fate, State, card, chip


class Past(NamedTuple):
    """A chip's past. `ours`: it was this job that had it. `number` is the row that it was to become the card of, None
    when it was turned away before; `row` is where that row stands now. `dead` chips are not tried again."""

    ours: bool
    number: int | None
    row: State | None
    fate: Fate
    dead: bool
    reason: str

    @property
    def refusal(self) -> str:
        """Why the chip may not be written to whatever it says itself; empty when it may."""
        if self.fate is Fate.GOOD:
            return "a finished card of this job" if self.ours else "a finished card of another job"
        if self.fate in (Fate.SAMPLE, Fate.SCRAP):
            return f"counted as {self.fate} before"
        return f"rejected before: {self.reason}" if self.dead else ""


def past_of(this: Job, serial: bytes) -> Past | None:
    """What is known of the chip with this answer to reset: what this job says, or the job that finished it; None when
    it has never been in a machine."""
    columns = (chip.c.job, chip.c.number, card.c.state, chip.c.fate, chip.c.dead, chip.c.reason)
    row_of_chip = and_(card.c.job == chip.c.job, card.c.number == chip.c.number)
    query = select(*columns).outerjoin_from(chip, card, row_of_chip).where(chip.c.serial == serial.hex().upper())
    rows = this.bureau.durably(lambda on: on.execute(query).all(), statement=True)
    pasts = [
        Past(key == this.key, number, State(row) if row else None, Fate(fate), dead, reason or "")
        for key, number, row, fate, dead, reason in rows
    ]
    return max(pasts, key=lambda past: (past.fate is Fate.GOOD, past.ours, bool(past.refusal)), default=None)
