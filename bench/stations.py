"""Stations: how fast PostgreSQL gives them rows, what four readers are worth against one, and whole runs.

    python bench/stations.py [claims] [readers] [run]

Claims: sixteen stations claim eight rows at once, say of each which chip it is tried on and that it is good, against
as many connections that do one bare insert and one bare update a card. They share two processes: sixteen would measure
how this machine changes between programs, while a bureau's stations stand on machines of their own.

Readers: the line at one and at four virtual readers of a real pcscd, on chips that take 2 ms for each command, as
contact chips do and more; without that the cores, on which chips, service and stations all work, would be measured.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import psycopg  # noqa: E402 - after the path

from kaguan.card_os.profile import load_profile  # noqa: E402
from kaguan.emulator.card import EmulatedCard  # noqa: E402
from kaguan.emulator.faults import Faults  # noqa: E402
from kaguan.emulator.stock import blank_chip  # noqa: E402
from kaguan.personalization.job.claims import Claims  # noqa: E402
from kaguan.personalization.job.database import Bureau  # noqa: E402
from kaguan.personalization.job.job import JobTerms, begin_job, find_job  # noqa: E402
from kaguan.personalization.job.schema import JobState  # noqa: E402
from kaguan.personalization.job.shifts import open_shift  # noqa: E402
from kaguan.personalization.preparation.chunks import PreparedRow  # noqa: E402
from measure import Figure, show  # noqa: E402
from orders import write_synthetic_order  # noqa: E402
from outside.bureau_people import Operator, run_line  # noqa: E402
from outside.readers import private_readers  # noqa: E402
from postgres import server  # noqa: E402

STATIONS, PROCESSES, ROWS, AT_ONCE, RECORD = 16, 2, 12_000, 8, 8_000
CHIP_SECONDS = 0.002
PROFILE = load_profile("ssc-v2")
TERMS = JobTerms("bench", "digest", "P.txt", ("data_seq",), "ssc-v2", "990100", "keys", "emulator", "all", 1 << 40)


def station(address: str, number: int, shift: int, ready: multiprocessing.Barrier) -> None:
    """One station, all of whose chips are good at once."""
    with Bureau(address) as bureau:
        claims = Claims(find_job(bureau), f"m/{number}", shift)
        ready.wait()
        while found := claims.claim(AT_ONCE):
            for claim in found:
                serial = claim.chip.to_bytes(8, "big")
                assert claims.took(claim, serial)
                assert claims.finish(claim, serial, bytes(16), 280)


def claimer(address: str, number: int, shift: int, ready: multiprocessing.Barrier) -> None:
    """One station that claims and does nothing with what it gets."""
    with Bureau(address) as bureau:
        claims = Claims(find_job(bureau), f"m/{number}", shift)
        ready.wait()
        while claims.claim(AT_ONCE):
            pass


def bare(address: str, number: int, _shift: int, ready: multiprocessing.Barrier) -> None:
    """One insert and one update for each card, each a transaction."""
    with psycopg.connect(address, autocommit=True) as connection:
        ready.wait()
        for row in range(number, ROWS, STATIONS):
            connection.execute("INSERT INTO floor_chip (number, serial) VALUES (%s, %s)", (row, f"{row:016X}"))
            connection.execute("UPDATE floor_card SET state = 'good' WHERE number = %s", (row,))


def rate(work: Callable[..., None], address: str, shift: int) -> float:
    """Cards a second that so many stations get through together."""
    forks = multiprocessing.get_context("fork")
    ready = forks.Barrier(STATIONS + 1)

    def some(first: int) -> None:
        threads = [
            threading.Thread(target=work, args=(address, number, shift, ready))
            for number in range(first, STATIONS, PROCESSES)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    processes = [forks.Process(target=some, args=(first,)) for first in range(PROCESSES)]
    for process in processes:
        process.start()
    ready.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return ROWS / (time.perf_counter() - started)


def filled(address: str) -> tuple[str, int]:
    """The database with a job in it whose rows wait, and its shift."""
    with Bureau(address) as bureau:
        job = begin_job(bureau, TERMS, b"key")
        for start in range(1, ROWS + 1, 1000):
            numbers = range(start, start + 1000)
            job.append(PreparedRow(n, n, n, "T", n.to_bytes(4, "big"), os.urandom(RECORD)) for n in numbers)
        job.move(JobState.OPEN, among=[JobState.PREPARING])
        shift = open_shift(job, "m", "bench", "bench", ROWS)
    return address, shift


def measure_claims() -> None:
    """Rows a second, and the floor."""
    address = server(durable=True).new_database()
    claimed = rate(claimer, *filled(server(durable=True).new_database()))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE floor_chip (id bigserial PRIMARY KEY, number int, serial text UNIQUE)")
        connection.execute("CREATE TABLE floor_card (number int PRIMARY KEY, state text)")
        connection.execute("INSERT INTO floor_card SELECT n, 'pending' FROM generate_series(0, %s) n", (ROWS,))
    address, shift = filled(address)
    floor = rate(bare, address, shift)
    found = rate(station, address, shift)
    with Bureau(address) as bureau:
        assert find_job(bureau).counts().good == ROWS
    show(
        f"PostgreSQL, {STATIONS} stations",
        [
            Figure("a bare insert and a bare update", floor),
            Figure("claimed, eight at once", claimed, floor, aim=2000),
            Figure("claimed, chip noted, card noted", found, floor, aim=2000),
        ],
    )


def measure_readers(cards_each: int = 4) -> None:
    """Cards a second through pcscd, one reader and four."""
    rates = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaguan-")))
        (folder / "pcsc").mkdir()
        readers = stack.enter_context(private_readers(folder / "pcsc", 4))
        slow = Faults(f"late:{CHIP_SECONDS}")
        for count in (1, 4):
            rows = cards_each * count
            chips = [
                slow.on(EmulatedCard(blank_chip(PROFILE, bytes((count, 1, 1, 1, 1, n))))) for n in range(rows + count)
            ]
            operator = Operator.at(readers, chips)
            operator.slots = dict(list(operator.slots.items())[:count])
            order = folder / f"order{count}.zip"
            write_synthetic_order(order, rows)
            assert run_line(readers, operator, order, "--out", folder / f"job{count}") == 0, operator.heard
            first = next(at for at, said in operator.told if "put a blank chip in" in said)
            last = max(at for at, said in operator.told if "is finished" in said)
            rates.append(rows / (last - first))
    one, four = rates
    print(
        f"\n{CHIP_SECONDS * 1000:g} ms a command: one reader {one:.2f} cards/s, four {four:.2f}, {four / one:.2f} times"
    )
    print(f"  aim 3.5 times: {'met' if four / one >= 3.5 else 'MISSED'}")


def measure_run() -> None:
    """Cards a second of a whole run with two stations in the emulator."""
    with tempfile.TemporaryDirectory(prefix="kaguan-") as folder:
        command = [sys.executable, "-m", "kaguan", "perso", "run", str(ROOT / "examples" / "order-200.zip")]
        started = time.perf_counter()
        subprocess.run([*command, "--out", folder], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    print(f"\n200 cards, two stations, all checked, from the command to its end: {200 / seconds:.0f} cards/s")


def main() -> None:
    """Measure what is asked for, or all."""
    works = {"claims": measure_claims, "readers": measure_readers, "run": measure_run}
    for name in sys.argv[1:] or works:
        works[name]()


if __name__ == "__main__":
    main()
