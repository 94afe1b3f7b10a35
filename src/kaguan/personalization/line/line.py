"""The line: an order comes in, stations work it off, return files go out.

The same call goes on where a killed one stopped. In the run's folder: `job.sqlite` the job, unless its database is
elsewhere, `cards/` the finished cards of emulated chips, `return-good.txt`, `return-bad.txt`, `report.json`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from kaguan.durable import InUse, clear_parts, locked
from kaguan.personalization.care.belongings import LINE_LOCK
from kaguan.personalization.care.checkpoints import is_due, make_checkpoint
from kaguan.personalization.job.claims import lapse
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Counts
from kaguan.personalization.job.shifts import open_shift, shift_of
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import opened_store
from kaguan.personalization.line.closing import close_what_is_done
from kaguan.personalization.line.dead import remove_dead_images
from kaguan.personalization.line.intake import take_in
from kaguan.personalization.line.printing import leave_reports
from kaguan.personalization.line.results import write_results
from kaguan.personalization.line.supervisor import POLL_SECONDS, Progress, Supervisor, station_name
from kaguan.personalization.line.terms import LineOrder, order_digest
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.station.leftover import sort_leftover
from kaguan.personalization.station.process import CARDS, STATIONS_LOCK
from kaguan.personalization.station.records import open_records

_OWNER_FOLDER = 0o700  # whatever is in the folder is about people


def run_line(line: LineOrder, progress: Progress, tell: Callable[[str], None]) -> Counts:
    """Every row of the order has its good card or its reason, and the return files say so; or the job is drained.

    `progress` is called with the job and the state of its rows now and then, `tell` with what an operator should know.
    Raises:
        InUse: another run works in the folder, or at the order.
        OtherOrder: the folder belongs to another order.
        OrderRefused: the order has faults that are not to be skipped.
        StationsDied: stations died again and again.
    """
    line.out.mkdir(parents=True, exist_ok=True, mode=_OWNER_FOLDER)
    started = time.monotonic()
    with locked(line.out / LINE_LOCK, f"the job in {line.out}"), ExitStack() as stack:
        _wait_for_orphans(line.out)
        cards = line.out / CARDS
        cards.mkdir(exist_ok=True, mode=_OWNER_FOLDER)
        for folder in (line.out, cards):
            clear_parts(folder)
        bureau = stack.enter_context(Bureau(line.address))
        stack.enter_context(bureau.alone(f"the order {line.order.name}", _lock_key(line)))
        job = take_in(bureau, line, tell)
        for number in range(1, 65):
            lapse(job, station=station_name(line.machine, number))
        sort_leftover(job, cards)
        before = job.counts().good
        if shift_of(job, line.machine) is None and job.counts().open:
            open_shift(job, line.machine, line.shift or time.strftime("%Y-%m-%d"), line.operator, line.chips or 0)
        Supervisor(job, line).work_off(progress)
        sort_leftover(job, cards)
        close_what_is_done(job, line)
        vault = stack.enter_context(opened_store(line.store or store_of(job.terms.store), line.passphrase))
        if is_due(bureau):
            make_checkpoint(bureau, vault, line.operator, line.checkpoints)
        records = open_records(job, vault, plan_of(line.profile, job.terms.columns))
        remove_dead_images(job, records, cards)
        counts = job.counts()
        made, seconds = counts.good - before, time.monotonic() - started
        counts = write_results(job, line, records, made=made, seconds=seconds)
        if line.reports:
            leave_reports(job, line, records, vault, tell)
        return counts


def _lock_key(line: LineOrder) -> int:
    """The order at this machine: other machines may work at it too."""
    return zlib.crc32(f"{order_digest(line.order)} {line.machine}".encode())


def _wait_for_orphans(out: Path) -> None:
    """Return when no station of a killed run is left; each ends by itself with the card it is at."""
    for _ in range(300):
        try:
            with locked(out / STATIONS_LOCK, f"the stations of {out}"):
                return
        except InUse:
            time.sleep(POLL_SECONDS)
    raise InUse(f"stations of an earlier run still work in {out}: stop them and try again")
