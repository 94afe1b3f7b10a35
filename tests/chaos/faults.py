"""What can happen to a bureau, each by its name in a plan."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from chaos.bureau import Finding, House
from chaos.plan import Trouble
from kaguan.apdu.errors import KaguanError
from kaguan.personalization.job.control import steer
from kaguan.personalization.job.decisions import draw_sample, remake, scrap
from kaguan.personalization.job.job import Job, find_job
from kaguan.personalization.job.operators import operators
from kaguan.personalization.job.schema import JobState
from personalization.job.bureaus import PEOPLE, hire

_POLL_SECONDS = 0.005
_MOST_WAIT_SECONDS = 60.0


def befall(house: House, trouble: Trouble, dice: random.Random) -> None:
    """The trouble has come at its time; a run goes at the first place before, if it can."""
    house.begin(house.first)
    _wait_for(house, trouble)
    house.tell(str(trouble))
    _DEEDS[trouble.what](house, dice)


def _wait_for(house: House, trouble: Trouble) -> None:
    until = time.monotonic() + (trouble.seconds if trouble.cards is None else _MOST_WAIT_SECONDS)
    while time.monotonic() < until and house.first.goes:
        if trouble.cards is not None and house.first.cards > trouble.cards:
            return
        time.sleep(_POLL_SECONDS)


def _kill_one(*words: str) -> Callable[[House, random.Random], None]:
    def kill(house: House, dice: random.Random) -> None:
        if pids := house.processes(*words):
            _send(dice.choice(pids), signal.SIGKILL)

    return kill


def _kill_worker(house: House, dice: random.Random) -> None:
    for _ in range(400):
        if workers := house.processes("kaguan.personalization.preparation.worker"):
            _send(dice.choice(workers), signal.SIGKILL)
            return
        if not house.first.goes:
            return
        time.sleep(_POLL_SECONDS)


def _kill_run(house: House, _dice: random.Random) -> None:
    if house.first.goes:
        assert house.first.run is not None
        house.first.run.kill()
        house.end_of(house.first)


def _kill_all(house: House, _dice: random.Random) -> None:
    if house.first.goes:
        assert house.first.run is not None
        with suppress(ProcessLookupError):
            os.killpg(house.first.run.pid, signal.SIGKILL)
        house.end_of(house.first)


def _freeze(house: House, dice: random.Random) -> None:
    if pids := house.processes("station"):
        pid = dice.choice(pids)
        _send(pid, signal.SIGSTOP)
        house.later(house.plan.lease_seconds + dice.uniform(0.2, 2.0), pid, signal.SIGCONT)


def _pause(house: House, dice: random.Random) -> None:
    _with_job(house, lambda job: steer(job, JobState.PAUSED, "li"))
    time.sleep(dice.uniform(0.0, 1.0))
    _with_job(house, lambda job: steer(job, JobState.OPEN, "li"))


def _drain(house: House, _dice: random.Random) -> None:
    if _with_job(house, lambda job: steer(job, JobState.DRAINING, "li")):
        house.end_of(house.first)


def _second_run(house: House, _dice: random.Random) -> None:
    """Somebody starts the same in the same folder."""
    code = house.wait(house.start(house.first))
    if code == 0 and house.first.goes:
        raise Finding("a second run in the same folder was let in")


def _another_machine(house: House, dice: random.Random) -> None:
    house.begin(house.place("second", "m2"))
    time.sleep(dice.uniform(0.0, 2.0))


def _another_folder(house: House, dice: random.Random) -> None:
    """The same machine in two folders at once: one of the two is refused."""
    house.begin(house.place("third", "m1"))
    time.sleep(dice.uniform(0.0, 2.0))


def _decide(deed: Callable[..., bool]) -> Callable[[House, random.Random], None]:
    def decide(house: House, dice: random.Random) -> None:
        def on(job: Job) -> bool:
            with job.bureau.transaction() as connection:
                good = text("SELECT number, serial FROM card WHERE state = 'good' ORDER BY number")
                rows = connection.execute(good).all()
            if not rows:
                return False
            number, serial = dice.choice(rows)
            house.tell(f"row {number}, chip {serial}")
            return deed(job, PEOPLE, number, "bent corner", serial=serial)

        _with_job(house, on, people=True)

    return decide


def _scrap(house: House, _dice: random.Random) -> None:
    _with_job(house, lambda job: bool(scrap(job, PEOPLE, "end of the day")), people=True)


def _change_order(house: House, dice: random.Random) -> None:
    """The order's file is another for a while: what was not in is refused, what was in goes on."""
    whole = house.order_bytes
    how = dice.randrange(3)
    if how == 0:
        house.order.unlink()
    elif how == 1:
        house.order.write_bytes(whole[: dice.randrange(len(whole))])
    else:
        house.order.write_bytes(whole[:-100] + dice.randbytes(100))
    began_with = house.first.cards
    code = house.end_of(house.first)
    if code and not began_with and house.first.cards and not _with_job(house, lambda job: job.state != "preparing"):
        raise Finding(f"cards were made of an order that was refused with {code}")
    house.order.write_bytes(whole)


def _cut(house: House, dice: random.Random) -> None:
    assert house.server
    engine = create_engine(house.address.replace("postgresql:", "postgresql+psycopg:"))
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < :share"
    )
    for _ in range(dice.randint(1, 6)):
        with suppress(DBAPIError), engine.begin() as connection:
            connection.execute(others, {"share": dice.uniform(0.2, 1.0)})
        time.sleep(dice.uniform(0, 0.1))
    engine.dispose()


def _restart(house: House, dice: random.Random) -> None:
    assert house.server
    house.server.stop("immediate")
    time.sleep(dice.uniform(0, 0.7))
    house.server.start()


def _jump(house: House, dice: random.Random) -> None:
    house.set_clock(dice.choice([3600, -3600, 86_400, -86_400, 7, -7, 0]))


def _with_job(house: House, deed: Callable[[Job], bool], *, people: bool = False) -> bool:
    """What the deed gives, or False when the bureau does not let us, with a reason that is told."""
    try:
        if not house.address and not (house.first.out / "job.sqlite").exists():
            return False
        with house.bureau() as bureau:
            job = find_job(bureau)
            if people and len(operators(bureau)) < 2:
                hire(bureau)
            return deed(job)
    except KaguanError as error:
        house.tell(f"not done: {error}")
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


_DEEDS: dict[str, Callable[[House, random.Random], None]] = {
    "kill a station": _kill_one("station"),
    "kill a worker": _kill_worker,
    "kill the run": _kill_run,
    "kill all": _kill_all,
    "freeze a station": _freeze,
    "pause": _pause,
    "drain": _drain,
    "second run": _second_run,
    "another machine": _another_machine,
    "another folder": _another_folder,
    "remake": _decide(remake),
    "sample": _decide(draw_sample),
    "scrap": _scrap,
    "change the order": _change_order,
    "cut connections": _cut,
    "restart the server": _restart,
    "jump of the clock": _jump,
}
