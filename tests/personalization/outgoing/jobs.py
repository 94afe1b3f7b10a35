"""Finished jobs with drawn PINs and who may send them, for tests of what leaves the house."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, find_job
from kaguan.personalization.job.schema import State
from kaguan.personalization.line.line import run_line
from kaguan.personalization.line.places import OpenJob, opened_records
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.station.process import CARDS
from kaguan.vault.secret import Secret
from personalization.job.bureaus import hire
from personalization.station.benches import line_of

ROOM_KEY, PAIRING_KEY = Secret(bytes(range(32))), Secret(bytes(range(32, 64)))


class Finished(NamedTuple):
    """A job whose cards are made: how it was run, what it is opened with, and what the run told."""

    line: LineOrder
    opened: OpenJob
    told: list[str]

    @property
    def job(self) -> Job:
        """The job."""
        return self.opened.job

    def holders(self) -> dict[int, Holder]:
        """Whose card each good row is."""
        return {row.number: self.opened.records.open_any(row.number, row.sealed)[0] for row in self.settled()}

    def settled(self) -> list:
        """The good rows."""
        return list(self.job.settled(State.GOOD))

    def card(self, number: int) -> EmulatedCard:
        """The row's finished card, as it lies in the folder."""
        return EmulatedCard(load_image(self.line.out / CARDS / f"{self.holders()[number].card_no}.card"))


@contextmanager
def finished(folder: Path, database: str, rows: int = 3, **options: object) -> Iterator[Finished]:
    """A job of so many rows, run to its end; two people are operators of its bureau."""
    line, told = line_of(folder, database, rows, **options), []
    run_line(line, lambda *_: None, told.append)
    with Bureau(line.address) as bureau:
        hire(bureau)
        with opened_records(find_job(bureau), None, None) as opened:
            yield Finished(line, opened, told)
