"""What a run leaves in its folder: the return files and the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from kaguan.durable import write_whole
from kaguan.personalization.care.belongings import REPORT
from kaguan.personalization.care.envelope import SUFFIX, write_for
from kaguan.personalization.job.job import Counts, Job
from kaguan.personalization.job.schema import State
from kaguan.personalization.job.shifts import balances
from kaguan.personalization.line.dead import dead_list
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.order.returnfile import RejectRow, ReturnRow, write_rejects, write_return
from kaguan.personalization.station.records import JobRecords

GOOD_ROWS, BAD_ROWS = "return-good.txt", "return-bad.txt"
_OWNER_ONLY = 0o600  # the files are about people


def write_results(job: Job, line: LineOrder, records: JobRecords, *, made: int, seconds: float) -> Counts:
    """The folder has the return files of good and bad rows, and the report of this run."""
    write_for(line.seal_for, line.out / GOOD_ROWS, lambda file: write_return(file, good_rows(job, records)))
    write_for(line.seal_for, line.out / BAD_ROWS, lambda file: write_rejects(file, bad_rows(job, records)))
    counts = job.counts()
    report = {
        "order": line.order.name,
        "job": job.terms.name,
        "state": job.state,
        "profile": line.profile.name,
        "region": job.terms.region,
        "stations": len(line.readers) or line.stations,
        **counts._asdict(),
        "chips_scrapped": counts.chips - counts.good,
        "sampling": job.terms.sampling,
        "checked_to_the_last_byte": job.checked_deeply(),
        "rejects": job.rejects_by_reason(),
        "balance": [{**row._asdict(), "missing": row.missing} for row in balances(job)],
        "dead_cards": dead_list(job),
        "made_in_this_run": made,
        "seconds": round(seconds, 3),
        "cards_per_second": round(made / seconds, 1),
    }
    write_whole(line.out / REPORT, json.dumps(report, indent=2, ensure_ascii=False).encode() + b"\n", mode=_OWNER_ONLY)
    return counts


def good_rows(job: Job, records: JobRecords, *, number: int | None = None) -> Iterator[ReturnRow]:
    """A row for each good card, in the order's sequence; or for the card of the row of this number alone."""
    for row in job.settled(State.GOOD, number=number):
        holder, _ = records.open_any(row.number, row.sealed)
        yield ReturnRow.of(holder, card_ident_code=row.ident_code, atr=bytes.fromhex(row.serial))


def bad_rows(job: Job, records: JobRecords) -> Iterator[RejectRow]:
    """A row for each holder without a card, in the order's sequence."""
    for row in job.settled(State.REJECTED, State.REFUSED):
        holder, _ = records.open_any(row.number, row.sealed)
        yield RejectRow.of(holder, stage=row.stage, reason=row.reason)


def written(line: LineOrder) -> tuple[Path, ...]:
    """The files about people that a run leaves beside the cards."""
    suffix = SUFFIX if line.seal_for else ""
    return tuple(line.out / f"{name}{suffix}" for name in (GOOD_ROWS, BAD_ROWS))
