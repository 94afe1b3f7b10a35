"""Stations as programs, on machines that share nothing but a database and a key store: killed, cut off, told to end."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select, text

from card.cards import PROFILE
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import load_image
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import JobState, State, card, chip
from kaguan.personalization.job.shifts import balances, close_job, close_shift, issue_chips
from kaguan.personalization.line.intake import take_in
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.script import converse
from personalization.station.benches import line_of
from postgres import server

pytestmark = pytest.mark.slow
LEASE = "3"


@contextmanager
def job_in(folder: Path, address: str, rows: int) -> Iterator[Job]:
    """A job of so many rows."""
    line = line_of(folder, address, rows)
    line.out.mkdir(exist_ok=True)
    with Bureau(address) as bureau:
        yield take_in(bureau, line, print)


def start(job: Job, folder: Path, machine: str, number: int = 1, *options: str) -> subprocess.Popen[bytes]:
    """A station, started in a folder of its machine in which nothing is yet."""
    place = folder / machine
    place.mkdir(exist_ok=True)
    address = job.bureau.url.render_as_string() if not job.bureau.embedded else str(job.bureau.url.database)
    command = [sys.executable, "-m", "kaguan", "perso", "station", "--database", address.replace("+psycopg", "")]
    command += ["--job", job.terms.name, "--keys", job.terms.store, "--lease", LEASE]
    command += ["--machine", machine, "--number", str(number), *options]
    return subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE)


def ended_well(*stations: subprocess.Popen[bytes]) -> None:
    """They end by themselves, without complaint."""
    for station in stations:
        _, said = station.communicate(timeout=240)
        assert station.returncode == 0, said.decode()


def wait_for(job: Job, least: int) -> None:
    """Return when so many cards are good."""
    for _ in range(2400):
        if job.counts().good >= least:
            return
        time.sleep(0.02)
    raise AssertionError(f"no cards came: {job.counts()}")


def wait_for_stations(job: Job, count: int) -> None:
    """Return when so many stations have had a chip in work."""
    query = select(func.count(chip.c.station.distinct()))
    for _ in range(2400):
        with job.bureau.transaction() as connection:
            if connection.execute(query).scalar_one() >= count:
                return
        time.sleep(0.02)
    raise AssertionError("the stations did not begin")


def assert_books_close(job: Job, folder: Path, rows: int) -> None:
    """Every holder has one card, in one folder of one machine, and every chip is accounted for."""
    assert job.counts()[:5] == (0, 0, rows, 0, 0)
    cards = [EmulatedCard(load_image(path)) for path in folder.glob("*/cards/*.card")]
    on_cards = Counter(converse(link, read_identity(PROFILE)).card_no for link in cards)
    assert len(on_cards) == rows
    assert set(on_cards.values()) == {1}
    with job.bureau.transaction() as connection:
        serials = set(connection.execute(select(card.c.serial).where(card.c.state == State.GOOD)).scalars())
    assert serials == {link.atr.hex().upper() for link in cards}
    assert not list(folder.glob("*/cards/.*")), "nothing is left over"
    for balance in balances(job):
        assert balance.at_work == 0
        issue_chips(job, balance.shift, "li", -balance.missing)  # emulated chips are counted as they come
        close_shift(job, balance.shift, "li", 0)
    close_job(job, "li")


def test_stations_on_many_machines_make_every_card_once(database: str, tmp_path: Path) -> None:
    with job_in(tmp_path, database, 30) as job:
        stations = [start(job, tmp_path, machine, number) for machine in ("m1", "m2") for number in (1, 2)]
        ended_well(*stations)
        assert {balance.machine for balance in balances(job)} == {"m1", "m2"}
        assert_books_close(job, tmp_path, 30)


@pytest.mark.parametrize("seed", range(3))
def test_a_machine_that_dies_costs_nobody_a_card(tmp_path: Path, seed: int) -> None:
    """Killed at moments that nobody chose; its claims lapse, and another machine, or itself again, goes on."""
    dice = random.Random(seed)
    with job_in(tmp_path, server().new_database(), 40) as job:
        stations = {machine: start(job, tmp_path, machine) for machine in ("m1", "m2", "m3")}
        wait_for(job, 1)
        for _ in range(3):
            time.sleep(dice.uniform(0.05, 0.5))
            machine = dice.choice(sorted(stations))
            stations[machine].kill()
            stations[machine].communicate()
            stations[machine] = start(job, tmp_path, machine)
        ended_well(*stations.values())
        ended_well(*(start(job, tmp_path, machine) for machine in stations))  # who comes back tidies up
        assert_books_close(job, tmp_path, 40)


def restart(_job: Job, dice: random.Random) -> None:
    """The server is gone for a moment, as an upgrade or a power failure takes it."""
    server().stop(dice.choice(["fast", "immediate"]))
    time.sleep(dice.uniform(0, 0.5))
    server().start()


def cut(job: Job, dice: random.Random) -> None:
    """Every station's connection is cut."""
    engine = create_engine(job.bureau.url)
    others = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for _ in range(10):
        with engine.begin() as connection:
            connection.execute(others)
        time.sleep(dice.uniform(0, 0.1))
    engine.dispose()


@pytest.mark.parametrize("trouble", [restart, cut])
@pytest.mark.parametrize("seed", range(3))
def test_stations_survive_what_happens_to_the_database(
    tmp_path: Path, trouble: Callable[[Job, random.Random], None], seed: int
) -> None:
    dice = random.Random(seed)
    with job_in(tmp_path, server().new_database(), 200) as job:
        stations = [start(job, tmp_path, machine) for machine in ("m1", "m2")]
        wait_for_stations(job, 2)
        for _ in range(3):
            time.sleep(dice.uniform(0, 0.4))
            trouble(job, dice)
        ended_well(*stations)
        assert_books_close(job, tmp_path, 200)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_station_told_to_end_ends_with_its_card(tmp_path: Path, number: signal.Signals) -> None:
    with job_in(tmp_path, server().new_database(), 60) as job:
        station = start(job, tmp_path, "m1")
        wait_for(job, 2)
        station.send_signal(number)
        ended_well(station)
        counts = job.counts()
        assert counts.claimed == 0
        assert 2 <= counts.good < 60
        (balance,) = balances(job)
        assert (balance.good, balance.rejected, balance.at_work) == (counts.good, 0, 0)
        ended_well(start(job, tmp_path, "m2"))
        assert_books_close(job, tmp_path, 60)


def test_stations_end_when_the_job_is_drained(tmp_path: Path) -> None:
    with job_in(tmp_path, server().new_database(), 60) as job:
        station = start(job, tmp_path, "m1")
        wait_for(job, 2)
        assert job.move(JobState.DRAINING, among=[JobState.OPEN])
        ended_well(station)
        assert job.counts().claimed == 0
        assert job.counts().open > 0


def test_a_station_without_a_reader_says_what_it_lacks(tmp_path: Path) -> None:
    line = line_of(tmp_path, "", 1, backend="pcsc")
    line.out.mkdir()
    with Bureau(line.address) as bureau:
        job = take_in(bureau, line, print)
        station = start(job, tmp_path, "m1")
        _, said = station.communicate(timeout=60)
    assert station.returncode == 5
    assert b"name this station's --reader" in said
