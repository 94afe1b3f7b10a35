"""Holders per second through data preparation on two cores, and the parent's memory for orders of two sizes.

The floor is what cannot be left out, done alone on as many processes: a line's text decoded and split, and a record of
the same size sealed. The order is a zip on disk; with photos each is read from it and sealed too.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from kaguan.personalization.order.pipetext import Line, lines
from kaguan.personalization.order.reading import HOLDER_COLUMNS, open_order
from kaguan.personalization.preparation.chunks import (
    ChunkWork,
    PreparedChunk,
    Terms,
    chunks,
    prepare_chunk,
    raw_rows,
    with_photos,
)
from kaguan.personalization.preparation.engine import prepared
from kaguan.personalization.preparation.local import LocalEngine
from kaguan.personalization.preparation.sealing import RecordKey
from kaguan.vault.secret import Secret
from measure import Figure, show
from orders import write_synthetic_order

CORES = 2
HOLDERS = 20_000
TERMS = Terms(b"bench", "ssc-v2", HOLDER_COLUMNS, RecordKey(Secret(bytes(32))))
ROUNDS = 5


def floor_chunk(work: ChunkWork) -> PreparedChunk:
    """Each line decoded and split, and as many bytes sealed as its record has; nothing else."""
    records = []
    for row in work.rows:
        Line(row.line, row.raw).columns()
        records.append(row.raw + row.photo + bytes(450))
    numbers = range(work.first_number, work.first_number + len(records))
    TERMS.key.seal_all(numbers, work.terms.job, records)
    return PreparedChunk(work.first_number, ())


class Run(NamedTuple):
    """One way through an order."""

    photos: bool
    floor: bool


RUNS = (Run(False, True), Run(False, False), Run(True, True), Run(True, False))  # noqa: FBT003 - named above


def seconds(path: Path, engine: LocalEngine, run: Run) -> float:
    """From the zip to the sealed records in the parent's hands."""
    import preparation  # noqa: PLC0415 - the name under which the workers know the floor

    with open_order(path) as order, order.archive.open_list() as stream:
        started = time.perf_counter()
        rows = raw_rows(lines(stream))
        works = chunks(TERMS, with_photos(rows, order) if run.photos else rows)
        done = 0
        for chunk in prepared(works, engine, prepare=preparation.floor_chunk if run.floor else prepare_chunk):
            assert not any(row.reason for row in chunk.rows)
            done += len(chunk.rows)
        taken = time.perf_counter() - started
    assert run.floor or done == HOLDERS
    return taken


def rates(path: Path) -> dict[Run, float]:
    """Holders per second of each run, the best of several taken in turns: a busy machine slows all alike."""
    least = dict.fromkeys(RUNS, float("inf"))
    with LocalEngine(CORES) as engine:
        for _ in range(ROUNDS):
            for run in RUNS:
                least[run] = min(least[run], seconds(path, engine, run))
    return {run: HOLDERS / taken for run, taken in least.items()}


def cpu_us(path: Path) -> float:
    """Microseconds of processor time a holder without photos, parent and workers together, their start left out."""

    def used() -> float:
        uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(use.ru_utime + use.ru_stime for use in uses)

    def took(times: int) -> float:
        before = used()
        with LocalEngine(CORES) as engine:
            for _ in range(times):
                seconds(path, engine, RUNS[1])
        return used() - before

    return (took(5) - took(1)) / 4 / HOLDERS * 1e6


def grown_kib(count: int) -> int:
    """What a parent of its own grows by from its first chunks to the end of an order of so many holders."""
    command = [sys.executable, __file__, "--memory", str(count)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure_memory(count: int) -> None:
    """Print how much more memory the most of it is, after all of an order, than after its first five chunks."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "order.zip"
        write_synthetic_order(path, count)
        with LocalEngine(CORES) as engine, open_order(path) as order, order.archive.open_list() as stream:
            for place, _ in enumerate(prepared(chunks(TERMS, raw_rows(lines(stream))), engine), 1):
                if place == 5:
                    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, help="Only the growth for an order of so many holders.")
    asked = parser.parse_args()
    if asked.memory:
        measure_memory(asked.memory)
        return
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where the workers find the floor
    with TemporaryDirectory() as folder:
        path = Path(folder) / "order.zip"
        write_synthetic_order(path, HOLDERS)
        floor, plain, photo_floor, photos = rates(path).values()
        cpu = cpu_us(path)
    show(
        f"data preparation, {CORES} cores, the parent's work among it",
        [
            Figure("split and sealed alone", floor),
            Figure("prepared", plain, floor, aim=20_000),
            Figure("split and sealed alone, with photos", photo_floor),
            Figure("prepared, with photos", photos, photo_floor),
        ],
    )
    print(f"\nprocessor time {cpu:.1f} us a holder without photos: {CORES * 1e6 / cpu:,.0f}/s on {CORES} free cores")
    print("\nwhat the parent grows by after its first 5,000 holders, without photos")
    for count in (10_000, 100_000):
        print(f"  {count:>9,} holders {grown_kib(count):>8,} KiB")


if __name__ == "__main__":
    main()
