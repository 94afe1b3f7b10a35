"""What a bureau gets through, each figure beside its floor: preparation, personalization, claims, readers, memory.

    python bench/bureau.py                        all but the long ones
    python bench/bureau.py --cards 100000         a job of so many cards from the command to its end, time and memory
    python bench/bureau.py --prepared 1000000     an order of so many holders comes in: time and memory up to that

The floor of personalization is what bench/personalization.py finds that one core does, times the stations: no
database, no files, no processes around it. The rate counts from the first chip that a station takes to the last card
that is settled; what a run needs before and after is in the rate from command to end.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import preparation
from measure import Figure, best_rate, show
from orders import write_synthetic_order
from personalization import Bench

HERE = Path(__file__).parent
CARDS = 3_000
STATIONS = 2
AIM_CARDS, AIM_HOLDERS = 300, 20_000
PLANS = ("all", "first-5,1/10")
PARTS = {b"station": "a station", b"kaguan.personalization.preparation.worker": "a worker", b"run": "the run itself"}
"""How the processes of a run are known by their command lines."""
_LOOK_SECONDS = 0.2


class Ran(NamedTuple):
    """A run of the line: seconds from the command to its end and at the stations, and the most MiB of each part."""

    seconds: float
    station_seconds: float
    most_mib: dict[str, float]


def line(order: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """The line at this order, with two stations; in a process group of its own."""
    command = [sys.executable, "-m", "kaguan", "perso", "run", str(order), "--out", str(out), *options]
    return subprocess.Popen([*command, "--stations", str(STATIONS)], stdout=subprocess.DEVNULL, start_new_session=True)


def ran(order: Path, out: Path, *options: str) -> Ran:
    """The line has run to its end."""
    started, most = time.perf_counter(), dict[str, float]()
    run = line(order, out, *options)
    while run.poll() is None:
        note_memory(run.pid, most)
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - started
    assert run.returncode == 0, run.returncode
    ((first, last),) = asked(out, "SELECT min(taken_at), max(settled_at) FROM chip")
    return Ran(seconds, last - first, most)


def asked(out: Path, words: str) -> list[tuple[float, ...]]:
    """What the job's database answers."""
    with closing(sqlite3.connect(out / "job.sqlite", timeout=60)) as database:
        return database.execute(words).fetchall()


def note_memory(pid: int, most: dict[str, float]) -> None:
    """The most that the run and each kind of its children has had so far."""
    for process in family(pid):
        with suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
            if found and PARTS.keys() & set(words):
                part = next((part for word, part in PARTS.items() if word in words), "")
                most[part] = max(most.get(part, 0.0), int(found[1]) / 1024)


def family(pid: int) -> Iterator[int]:
    """The process and its children."""
    yield pid
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            yield from map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())


def show_memory(most: dict[str, float]) -> None:
    """A line a part."""
    for part, mib in sorted(most.items()):
        print(f"  {'most memory of ' + part:<46}{mib:>14,.0f} MiB")


def measure_preparation(folder: Path) -> None:
    """Holders a second on two cores."""
    os.environ["PYTHONPATH"] = str(HERE)  # where the workers find the floor
    order = folder / "order.zip"
    write_synthetic_order(order, preparation.HOLDERS)
    floor, plain, photo_floor, photos = preparation.rates(order).values()
    show(
        f"data preparation, {preparation.CORES} cores",
        [
            Figure("lines split and sealed alone", floor),
            Figure("prepared", plain, floor, aim=AIM_HOLDERS),
            Figure("lines split and sealed alone, with photos", photo_floor),
            Figure("prepared, with photos", photos, photo_floor),
        ],
    )


def measure_personalization(folder: Path) -> None:
    """Cards a second of whole runs, every card checked to the last byte, and by a plan of samples."""
    bench, order = Bench(), folder / "cards.zip"
    write_synthetic_order(order, CARDS)
    checked = STATIONS * best_rate(lambda: bench.card(checked=True), 1)
    written = STATIONS * best_rate(lambda: bench.card(checked=False), 1)
    figures = [Figure("written and read back on one core, times two", checked)]
    figures += [Figure("written on one core, times two", written)]
    most: dict[str, float] = {}
    for plan, floor in zip(PLANS, (checked, written), strict=True):
        run = ran(order, folder / plan.replace("/", "-"), "--sample", plan)
        figures.append(Figure(f"at the stations, checked: {plan}", CARDS / run.station_seconds, floor, aim=AIM_CARDS))
        figures.append(Figure("the same from the command to its end", CARDS / run.seconds, floor))
        most |= {part: max(mib, most.get(part, 0.0)) for part, mib in run.most_mib.items()}
    show(f"personalization of {CARDS:,} cards, {STATIONS} stations", figures)
    show_memory(most)


def measure_job(folder: Path, cards: int) -> None:
    """A whole job: its time, its rate and its memory."""
    bench, order = Bench(), folder / "order.zip"
    write_synthetic_order(order, cards)
    floor = STATIONS * best_rate(lambda: bench.card(checked=True), 1)
    run = ran(order, folder / "job")
    show(
        f"a job of {cards:,} cards, from the command to its end: {run.seconds:,.0f} s",
        [
            Figure("written and read back on one core, times two", floor),
            Figure("from the command to its end", cards / run.seconds, floor, aim=AIM_CARDS),
            Figure("at the stations", cards / run.station_seconds, floor),
        ],
    )
    show_memory(run.most_mib)


def measure_intake(folder: Path, holders: int) -> None:
    """An order comes in, and before the stations begin the run is stopped: time and memory."""
    order, out, most = folder / "order.zip", folder / "job", dict[str, float]()
    write_synthetic_order(order, holders)
    started = time.perf_counter()
    run = line(order, out)
    while not is_open(out):
        assert run.poll() is None, run.returncode
        note_memory(run.pid, most)
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - started
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    print(f"\n{holders:,} holders checked, prepared and stored: {seconds:,.0f} s, {holders / seconds:,.0f}/s")
    show_memory({part: mib for part, mib in most.items() if part != "a station"})


def is_open(out: Path) -> bool:
    """Whether the order is in."""
    with suppress(sqlite3.OperationalError):
        if (out / "job.sqlite").exists():
            return asked(out, "SELECT count(*) FROM job WHERE state <> 'preparing'") == [(1,)]
    return False


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", type=int, nargs="+", help="whole jobs of so many cards, and nothing else")
    parser.add_argument("--prepared", type=int, nargs="+", help="orders of so many holders come in, and nothing else")
    parser.add_argument("--folder", type=Path, help="where the long ones have room; else where temporary files are")
    known = parser.parse_args()
    works: list[tuple[Callable[[Path, int], None], int]] = [(measure_job, count) for count in known.cards or ()]
    works += [(measure_intake, count) for count in known.prepared or ()]
    for work, count in works:
        with TemporaryDirectory(dir=known.folder) as folder:
            work(Path(folder), count)
    if not works:
        with TemporaryDirectory() as folder:
            measure_preparation(Path(folder))
            measure_personalization(Path(folder))
        subprocess.run([sys.executable, str(HERE / "stations.py"), "claims", "readers"], check=True)


if __name__ == "__main__":
    main()
