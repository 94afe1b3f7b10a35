"""The local engine: a worker's death costs its chunk a retry, and nothing outlives the parent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from kaguan.apdu.errors import OrderError, ProfileError
from kaguan.personalization.preparation.chunks import ChunkWork, Terms, prepare_chunk
from kaguan.personalization.preparation.engine import ChunkLost, prepared
from kaguan.personalization.preparation.local import LocalEngine, WorkerDied
from kaguan.personalization.preparation.transit import dumps, loads
from kaguan.vault.secret import Pin
from personalization.preparation.people import DATA_KEY, JOB, TERMS, deadly, once_deadly, slowly, unwilling, works

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _workers_know_these_tests(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def plain(chunks):
    """What is prepared, with the records opened: sealed, no two are alike."""
    return [row._replace(sealed=TERMS.key.open(row.number, JOB, row.sealed)) for chunk in chunks for row in chunk.rows]


def here(count):
    """The same prepared in this process."""
    return plain(map(prepare_chunk, works(count)))


def alive(pid):
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(true, seconds=90):
    """Wait for it, and fail when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)


def test_what_workers_prepare_is_what_this_process_prepares():
    with LocalEngine(2) as engine:
        assert plain(prepared(works(95), engine)) == here(95)
        pids = engine.pids
        assert len(pids) == 2
    assert not any(map(alive, pids))


@pytest.mark.parametrize("seed", range(6))
def test_killed_workers_cost_a_retry_each(seed):
    luck = random.Random(seed)
    over, killed = threading.Event(), []

    def kill(engine):
        while not over.wait(luck.uniform(0.02, 0.25)):
            if len(killed) < 2 and (pids := engine.pids):  # three might meet one chunk, which is its end
                killed.append(luck.choice(pids))
                os.kill(killed[-1], signal.SIGKILL)

    with LocalEngine(3) as engine:
        killer = threading.Thread(target=kill, args=(engine,))
        killer.start()
        try:
            rows = plain(prepared(works(400), engine, prepare=slowly))
        finally:
            over.set()
            killer.join()
    assert rows == here(400)
    assert killed
    assert not any(map(alive, killed))


def test_every_chunk_survives_the_death_of_its_first_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGUAN_TEST_MARKS", str(tmp_path))
    with LocalEngine(2) as engine:
        assert plain(prepared(works(50), engine, prepare=once_deadly)) == here(50)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_chunk_that_kills_three_workers_is_named_and_those_before_it_are_there():
    with LocalEngine(2) as engine:
        coming = prepared(works(60), engine, prepare=deadly)
        assert [next(coming).first_number for _ in range(2)] == [1, 11]
        with pytest.raises(ChunkLost, match=r"at cards 21 to 30: worker \d+ of the local engine died, exit code -9"):
            next(coming)
        assert plain([engine.submit(prepare_chunk, next(works(10))).result()]) == here(10)


@pytest.mark.parametrize("room", [1, 2, 5])
def test_no_more_than_the_room_is_out_at_once(room):
    taken = given = 0

    def counted():
        nonlocal taken
        for work in works(200):
            taken += 1
            assert taken - given <= room
            yield work

    with LocalEngine(2) as engine:
        for chunk in prepared(counted(), engine, in_flight=room):
            given += 1
            assert chunk.first_number == 10 * (given - 1) + 1
    assert given == 20


def test_an_order_that_breaks_off_is_told_after_what_was_before():
    def breaking():
        yield from list(works(30))
        raise OrderError("damaged", file="order.zip", line=40)

    with LocalEngine(2) as engine, pytest.raises(OrderError, match="damaged"):
        list(prepared(breaking(), engine))


def test_what_no_chunk_can_be_prepared_with_is_told_and_not_tried_again():
    (work,) = works(3)
    wrong = ChunkWork(Terms(JOB, "no-such-profile", TERMS.columns, TERMS.key), 1, work.rows)
    with LocalEngine(1) as engine:
        with pytest.raises(ProfileError, match="no-such-profile"):
            list(prepared([wrong], engine))
        assert len(engine.pids) == 1


def test_who_stops_listening_leaves_nothing_behind():
    with LocalEngine(2) as engine:
        coming = prepared(works(300), engine, prepare=slowly)
        next(coming)
        coming.close()
        pids = engine.pids
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert not any(map(alive, pids))


def test_shutdown_without_waiting_ends_what_is_at_work():
    engine = LocalEngine(1)
    future = engine.submit(time.sleep, 60)
    until(lambda: engine.pids)
    engine.shutdown(wait=False)
    with pytest.raises(WorkerDied):
        future.result(timeout=5)
    assert engine.pids == []


PARENT = """
import sys, time
from kaguan.personalization.preparation.local import LocalEngine
engine = LocalEngine(2)
calls = [engine.submit(time.sleep, float(sys.argv[1])) for _ in range(2)]
while len(engine.pids) < 2: time.sleep(0.01)
print(*engine.pids, flush=True)
calls[0].result(); calls[1].result()
print("idle", flush=True)
time.sleep(60)
"""


def test_workers_end_when_the_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, "0.05"], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert parent.stdout.readline() == "idle\n"
    assert all(map(alive, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize(
    "pool",
    [lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")), lambda: ThreadPoolExecutor(2)],
    ids=["processes", "threads"],
)
def test_the_key_goes_into_no_pool_that_pickles_it(pool):
    with pool() as executor:
        if isinstance(executor, ThreadPoolExecutor):
            assert plain(prepared(works(20), executor)) == here(20)
        else:
            with pytest.raises(TypeError, match="not to be pickled"):
                list(prepared(works(20), executor))


def test_secrets_travel_in_our_own_pickles_alone():
    assert loads(dumps([DATA_KEY, Pin.of("1234")])) == [DATA_KEY, Pin.of("1234")]
    assert isinstance(loads(dumps(Pin.of("1234"))), Pin)


def test_an_exception_that_cannot_travel_is_told_all_the_same():
    with LocalEngine(1) as engine, pytest.raises(RuntimeError, match="Unwilling: too long"):
        engine.submit(unwilling).result()
