"""What card, letter and mailer of one holder have in common: a link that says nothing of any of them.

It is as good as drawn by chance, follows from the card's chip under the job's data key, and so needs no place of its
own. A card that is made again has another chip: its old letter and mailer pair with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from kaguan.durable import whole_file, write_whole
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import State
from kaguan.personalization.paper.fonts import check_glyphs, find_fonts
from kaguan.personalization.paper.pairing import Kind, PairingRow, draw_link, pairing_code, pairing_sheet, pairing_texts
from kaguan.personalization.station.records import JobRecords
from kaguan.vault.secret import Secret

ROWS_A_FILE = 4_000
_MOST_TASK = 12
_OWNER_ONLY = 0o600
_COLUMNS = "row,task,card,letter,mailer"


class Codes(NamedTuple):
    """The codes of one good card and what goes with it, and its place in the order."""

    row: int
    task_id: str
    card: str
    letter: str
    mailer: str


def card_link(records: JobRecords, serial: str) -> str:
    """The link of the job's card with this answer to reset."""
    luck = records.key.tag(f"pairing link {serial}")
    return draw_link(lambda size: luck[:size])


def codes(job: Job, records: JobRecords, key: Secret) -> Iterator[Codes]:
    """The codes of every good card, in the order's sequence."""
    for row in job.settled(State.GOOD):
        link = card_link(records, row.serial)
        made = (pairing_code(key, kind, link) for kind in (Kind.CARD, Kind.LETTER, Kind.MAILER))
        yield Codes(row.row, row.task_id, *made)


def write_codes(job: Job, records: JobRecords, key: Secret, path: Path) -> int:
    """The file holds the codes as CSV, a line for each good card; how many there are."""
    count = 0
    with whole_file(path, mode=_OWNER_ONLY) as file:
        file.write(f"{_COLUMNS}\r\n".encode())
        for row in codes(job, records, key):
            file.write(f"{','.join(map(str, row))}\r\n".encode())
            count += 1
    return count


def write_sheet(job: Job, records: JobRecords, key: Secret, path: Path, *, written_at: datetime) -> Iterator[Path]:
    """Pairing sheets as PDF, each file whole before it comes out; from the second on they are numbered.

    Raises:
        FontsMissing: there is no font for them.
    """
    title = job.terms.name
    texts = (PairingRow(row.row, _place(row.task_id), "", "") for row in job.settled(State.GOOD))
    lettering = check_glyphs(find_fonts(), pairing_texts(title, texts))
    rows, number = (
        (PairingRow(row.row, _place(row.task_id), row.card, row.letter) for row in codes(job, records, key)),
        0,
    )
    while (batch := list(islice(rows, ROWS_A_FILE))) or not number:
        number += 1
        part = numbered(path, number)
        write_whole(part, pairing_sheet(title, batch, lettering, written_at=written_at), mode=_OWNER_ONLY)
        yield part


def _place(task_id: str) -> str:
    """The task's number as a sheet has room for: its end, without zeros in front."""
    return f"任务 {task_id.lstrip('0')[-_MOST_TASK:]}"


def numbered(path: Path, number: int) -> Path:
    """The path of this one of several files; the first has the name that was asked for."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number:04}{path.suffix}")
