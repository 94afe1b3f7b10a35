"""Some lives of `chaos`, and what needs a moment that chance seldom finds; `make soak` lives hundreds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from card.cards import PROFILE
from chaos.life import live
from chaos.plan import Able, Plan, Trouble, plan_of
from kaguan.apdu.errors import KaguanError
from kaguan.database import DatabaseGone
from kaguan.personalization.job.claims import Claims
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Counts, Job, find_job, only_job
from kaguan.personalization.job.shifts import balances, open_shift
from kaguan.personalization.line.intake import take_in
from kaguan.personalization.line.line import run_line
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.preparation.here import HereEngine
from kaguan.personalization.station.process import Post, run_station
from personalization.orders import RULES
from personalization.station.benches import order_of
from postgres import server

pytestmark = pytest.mark.slow


def plan(seed: int, *troubles: str) -> Plan:
    """A small bureau to which this happens, one thing after the other."""
    small = plan_of(seed, Able(server=True), most_rows=12)
    happens = tuple(Trouble(what, 0.5, place + 1) for place, what in enumerate(troubles))
    return small._replace(troubles=happens, disk_kib=None, uses=None)


@pytest.mark.parametrize("seed", [2, 12])
def test_a_life_in_which_something_happens_all_the_time(seed: int) -> None:
    assert live(plan_of(seed, Able(server=True), most_rows=16, most_troubles=3), server()) in (
        "done",
        "a key is used up",
    )


def test_what_a_server_and_two_machines_can_suffer() -> None:
    happens = ("another machine", "cut connections", "kill a station", "restart the server", "remake")
    assert live(plan(3, *happens)._replace(server=True, engine="here", stations=2, lease_seconds=1), server()) == "done"


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler for another clock")
def test_a_clock_that_jumps_makes_no_card_twice() -> None:
    happens = ("jump of the clock", "freeze a station", "jump of the clock", "kill a station")
    jumpy = plan(4, *happens)._replace(server=False, clock=True, engine="here", stations=3, lease_seconds=1)
    assert live(jumpy, None) == "done"


def test_a_key_with_a_counter_stops_the_job_by_name() -> None:
    poor = plan(5)._replace(server=False, uses=70, engine="here", stations=1)
    assert live(poor, None) == "a key is used up"


class Meddler(HereEngine):
    """An engine during whose work somebody meddles with the order."""

    def __init__(self, deed: Callable[[], object]) -> None:
        self._deed = deed

    def submit(self, fn, /, *args, **kwargs) -> Future:  # type: ignore[no-untyped-def,type-arg]
        """Somebody is there first."""
        self._deed()
        return super().submit(fn, *args, **kwargs)


def deeds(path: Path, other: Path) -> dict[str, Callable[[], object]]:
    """What can happen to the file."""
    return {
        "removed": lambda: path.unlink(missing_ok=True),
        "replaced": lambda: shutil.copy(other, path.with_suffix(".new")) and path.with_suffix(".new").replace(path),
        "overwritten": lambda: path.write_bytes(other.read_bytes()),
        "cut": lambda: path.write_bytes(path.read_bytes()[:-100]),
    }


@pytest.mark.parametrize("how", ["removed", "replaced", "overwritten", "cut"])
def test_an_order_that_is_changed_while_it_comes_in_makes_nothing(tmp_path: Path, how: str) -> None:
    path = order_of(tmp_path / "order.zip", 4)
    whole, other = path.read_bytes(), order_of(tmp_path / "other.zip", 5)
    deed = deeds(path, other)[how]

    def engine() -> Executor:
        return Meddler(deed)

    line = LineOrder(path, tmp_path / "out", PROFILE, RULES, engine=engine)
    line.out.mkdir()
    with Bureau(line.address) as bureau:
        with pytest.raises((KaguanError, OSError)):
            take_in(bureau, line, print)
        left = only_job(bureau)
        assert left is None or left.state == "preparing", "no station gets a row"
        path.write_bytes(whole)
        job = take_in(bureau, LineOrder(path, line.out, PROFILE, RULES), print)
        assert (job.state, job.counts().pending) == ("open", 4)


def test_two_machines_that_take_one_order_in_at_once_make_one_job(tmp_path: Path) -> None:
    """The second comes while the first prepares, and is done before it."""
    path, address = order_of(tmp_path / "order.zip", 6), server().new_database()
    store = tmp_path / "first" / "keys" / "test.store"
    second = LineOrder(path, tmp_path / "second", PROFILE, RULES, store=store, database=address, machine="m2")
    came = []

    def other() -> None:
        if store.exists() and not came:
            came.append(1)
            with Bureau(address) as bureau:
                assert find_job(bureau).state == "preparing"
                take_in(bureau, second, print)

    first = LineOrder(path, tmp_path / "first", PROFILE, RULES, database=address, engine=lambda: Meddler(other))
    for line in (first, second):
        line.out.mkdir()
    with Bureau(address) as bureau:
        job = take_in(bureau, first, print)
        assert came
        assert (job.state, job.counts().pending) == ("open", 6)
        claims = Claims(job, "m1/1", open_shift(job, "m1", "night", "li", 0))
        assert len(claims.claim(10)) == 6


def test_a_station_that_comes_when_all_is_over_leaves_no_trace(tmp_path: Path) -> None:
    line = LineOrder(order_of(tmp_path / "order.zip", 1), tmp_path / "out", PROFILE, RULES, machine="m1", stations=1)
    assert run_line(line, lambda job, counts: None, print).open == 0
    before = sorted(path.name for path in line.out.rglob("*"))
    run_station(Post(line.address, "", line.out, machine="m2"), None, tell=print, ended=lambda: False)
    with Bureau(line.address) as bureau:
        job = find_job(bureau)
        assert job.state == "closed"
        assert [balance.machine for balance in balances(job)] == ["m1"]
    assert sorted(path.name for path in line.out.rglob("*")) == before


def test_a_look_at_the_job_that_fails_does_not_end_the_run(tmp_path: Path) -> None:
    """The connection that a view of the job has may be cut as every other."""

    def look(_job: Job, _counts: Counts) -> None:
        raise DatabaseGone("cut")

    line = LineOrder(order_of(tmp_path / "order.zip", 2), tmp_path / "out", PROFILE, RULES, stations=1)
    assert run_line(line, look, print).good == 2
