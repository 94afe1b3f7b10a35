"""Card management on both kinds of database: use cases a second from many clients, and lookups among many cards.

    python bench/cms.py [--clients 16] [--seconds 6] [--holders 100000] [--kinds sqlite postgresql] [--database URL]

A use case (a loss reported and released in turn, each with its receipt, events and audit line) stands beside a bare
transaction of one insert and one update, sent by the same clients over the same connections. A lookup by identity
number stands beside SELECT 1. `--database` names an empty database on a server of one's own; else one is started.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from measure import Figure, show

LOOKUPS = 2_000
WARM = 200
WARM_UP = 100
ROUNDS = 6


def found_bench(database: str, holders: int) -> float:
    """The database has an authority and so many made-up people; how many came a second."""
    from kaguan.cms.store import open_store

    open_store(database)
    from kaguan.cms.rules.rights import Role
    from kaguan.cms.services.sampling import add_sample
    from kaguan.cms.services.set_up import found, register_operator

    admin = found(uuid4(), region_code="990100", authority="SSB", administrator="admin")
    register_operator(admin, uuid4(), code="clerk", name="clerk", institution="SSB", roles=[Role.AUTHORITY_CLERK])
    started = time.perf_counter()
    add_sample(admin, uuid4(), holders=holders)
    rate = holders / (time.perf_counter() - started)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_bare (id uuid PRIMARY KEY, what text NOT NULL)")
        cursor.execute("CREATE TABLE bench_counter (id integer PRIMARY KEY, n bigint NOT NULL)")
        cursor.executemany("INSERT INTO bench_counter VALUES (%s, 0)", [(number,) for number in range(1024)])
    learn()
    connection.close()
    return rate


def bare(client: int, _turn: int, _clients: int) -> None:
    """One insert and one update, committed."""
    from django.db import connection, transaction

    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_bare VALUES (%s, %s)", (uuid4().hex, "x" * 200))
        cursor.execute("UPDATE bench_counter SET n = n + 1 WHERE id = %s", (client,))


def use_case(client: int, turn: int, clients: int) -> None:
    """A loss reported, or the one before released."""
    from kaguan.cms.sample import card_no_of
    from kaguan.cms.services.case import Actor
    from kaguan.cms.services.loss import release_loss, report_temporary_loss

    # cards 0 to 11 of each twenty are in use
    place = client + clients * (turn // 2)
    card_no = card_no_of(place // 12 * 20 + place % 12)
    act = release_loss if turn % 2 else report_temporary_loss
    act(Actor("clerk", "SSB"), uuid4(), card_no=card_no)


def client_loop(database: str, client: int, clients: int, seconds: float, gate, counts) -> None:
    """Work until the time is over, bare and with use cases by turns; the counts go into the queue, or None."""
    from kaguan.cms.store import open_store

    try:
        open_store(database)
        # a server that has been at work: it knows how large its tables are, and plans no statement anew
        for turn in range(WARM_UP):
            use_case(client, turn, clients)
        gate.wait()
        if client == 0:
            learn()
        done = {bare: 0, use_case: WARM_UP}
        # by turns, for machines that are faster now and then
        for work in (bare, use_case) * ROUNDS:
            gate.wait()
            ends = time.perf_counter() + seconds / ROUNDS
            while time.perf_counter() < ends:
                work(client, done[work], clients)
                done[work] += 1
        counts.put((done[bare], done[use_case] - WARM_UP))
    except BaseException:
        gate.abort()
        counts.put(None)
        raise


def learn() -> None:
    """The database counts its tables, as servers do now and then by themselves."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("CHECKPOINT")


def rates(database: str, clients: int, seconds: float) -> tuple[float, float]:
    """Bare transactions and use cases a second, from so many client processes."""
    context = multiprocessing.get_context("spawn")
    gate, counts = context.Barrier(clients), context.Queue()
    arguments = [(database, number, clients, seconds, gate, counts) for number in range(clients)]
    workers = [context.Process(target=client_loop, args=args) for args in arguments]
    for worker in workers:
        worker.start()
    done = [counts.get() for _ in workers]
    for worker in workers:
        worker.join()
    if None in done:
        raise SystemExit("a client failed: what it said stands above")
    return sum(bare for bare, _ in done) / seconds, sum(asked for _, asked in done) / seconds


def lookup_milliseconds(database: str, holders: int) -> tuple[float, float, float]:
    """Median and 99th percentile of a lookup by identity number, and the median of SELECT 1."""
    from kaguan.cms.store import open_store

    open_store(database)
    from django.db import connection

    from kaguan.cms.queries import holder_record
    from kaguan.cms.sample import cert_no_of

    dice = random.Random(990100)
    took, floor = [], []
    for number in range(LOOKUPS + WARM):
        cert_no = cert_no_of(dice.randrange(holders))
        started = time.perf_counter()
        holder_record(cert_no, {"990100"})
        took.append(time.perf_counter() - started)
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
        floor.append(time.perf_counter() - started)
        if number == WARM:
            took.clear(), floor.clear()
    took.sort()
    return took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3, sorted(floor)[len(floor) // 2] * 1e3


def measure(kind: str, database: str, options: argparse.Namespace) -> None:
    """Measure one kind of database and print."""
    clients = options.clients if kind == "postgresql" else 1
    sampled = found_bench(database, options.holders)
    floor, asked = rates(database, clients, options.seconds)
    show(
        f"card management on {kind}, {clients} clients, {os.cpu_count()} cores",
        [
            Figure("bare insert + update, transactions", floor),
            Figure("use cases", asked, floor, 0.3 * floor),
            Figure("made-up people with card and event", sampled),
        ],
    )
    middle, slow, trip = lookup_milliseconds(database, options.holders)
    print(
        f"  lookup by identity number among {options.holders:,} people: median {middle:.2f} ms, 99th percentile "
        f"{slow:.2f} ms, aim 5 ms: {'met' if slow < 5 else 'MISSED'}; SELECT 1 {trip:.2f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--holders", type=int, default=100_000)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--database", help="An empty database on a server, as a URL.")
    options = parser.parse_args()
    for kind in options.kinds:
        with tempfile.TemporaryDirectory() as folder:
            if kind == "sqlite":
                database = str(Path(folder) / "bench.sqlite")
            else:
                from postgres import server

                database = options.database or server(durable=True).new_database()
            measure(kind, database, options)
            from django.db import connection

            connection.close()


if __name__ == "__main__":
    main()
