"""Whatever stations, operators and shifts do, in whatever order: chips add up, nobody has two cards, dead stays dead.

Two jobs of one database share machines and chips, so that chips turn up where they do not belong.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.job.audit import verify_trail
from kaguan.personalization.job.claims import Claim, Claims, lapse
from kaguan.personalization.job.control import set_priority, steer
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.decisions import dead_cards, declare_lost, draw_sample, remake, scrap
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import Fate, JobState, State, card, chip
from kaguan.personalization.job.shifts import (
    Balance,
    BalanceOpen,
    balances,
    close_job,
    close_shift,
    hand_over,
    issue_chips,
    open_shift,
    shift_of,
    what_is_open,
)
from personalization.job.bureaus import PEOPLE, hire, open_job
from postgres import server

pytestmark = pytest.mark.slow

ROWS = 4
MACHINES = ("m1",)
Draw = Callable[[Random], Any]
Held = tuple[Claims, Claim]


def one_of(choices: Sequence[Any]) -> Draw:
    """Any of these."""
    return lambda luck: luck.choice(choices)


def serials(luck: Random) -> bytes:
    """A chip: there are few, so that each turns up again."""
    return bytes([luck.randint(1, 16)])


def some_serials(luck: Random) -> set[bytes] | None:
    """All, or a few."""
    return luck.choice([None, {serials(luck)}, {serials(luck), serials(luck)}])


def places(luck: Random) -> tuple[int, str]:
    """A job and a machine."""
    return luck.randint(0, 1), luck.choice(MACHINES)


numbers = one_of(range(1, ROWS + 1))
small = one_of(range(7))


def step(**draws: Draw) -> Callable[[Any], Any]:
    """The method is a step, with arguments drawn so."""

    def marked(method: Any) -> Any:
        method.draws = draws
        return method

    return marked


class Walk:
    """Two jobs in the database at `address`, and all that may happen to them."""

    def __init__(self, address: str) -> None:
        self.bureau = Bureau(address)
        hire(self.bureau)
        self.jobs = [open_job(self.bureau, ROWS, name) for name in ("night", "day")]
        for job in self.jobs:
            for machine in MACHINES:
                open_shift(job, machine, "first", "li", 5)
        self.seen: Counter[str] = Counter()
        self.held: list[Held] = []
        self.dead: set[str] = set()
        self.closed: dict[int, Balance] = {}

    def end(self) -> None:
        assert verify_trail(self.bureau)[0] >= 2
        self.bureau.close()

    def job_of(self, place: tuple[int, str]) -> tuple[Job, str]:
        return self.jobs[place[0]], place[1]

    @step(place=places, most=one_of([1, 2, 3]), patience=one_of([60.0, -1.0]))
    def claim(self, place: tuple[int, str], most: int, patience: float) -> None:
        job, machine = self.job_of(place)
        if (shift := shift_of(job, machine)) is not None:
            claims = Claims(job, f"{machine}/1", shift, lease_seconds=patience)
            self.held += [(claims, claim) for claim in claims.claim(most)]

    @step(which=small, serial=serials)
    def took(self, which: int, serial: bytes) -> None:
        if self.held:
            claims, claim = self.held[which % len(self.held)]
            claims.took(claim, serial)

    @step(place=places, serial=serials, bad=one_of([False, False, True]))
    def make(self, place: tuple[int, str], serial: bytes, *, bad: bool) -> None:
        """A station that never sleeps: a row and a chip become a card, or a bad chip, if it may be written to."""
        job, machine = self.job_of(place)
        if (shift := shift_of(job, machine)) is None:
            return
        claims = Claims(job, f"{machine}/2", shift)
        for claim in claims.claim(1):
            if not claims.took(claim, serial):
                claims.release()
                self.seen["refused chip"] += 1
            elif bad:
                assert claims.fail(claim, "check", "no good")
            else:
                assert claims.finish(claim, serial, b"code", 1)
                assert claims.finish(claim, serial, b"code", 1), "asked again, for the answer was lost"
                self.seen["good"] += 1

    @step(which=small)
    def finish(self, which: int) -> None:
        """A station that slept: it has the card that it last began, and may be too late."""
        if self.held:
            claims, claim = self.held.pop(which % len(self.held))
            query = select(chip.c.serial).where(chip.c.number == claim.number, chip.c.attempt == claim.attempt)
            tried = self.rows(query.where(chip.c.job == claims._job.key, chip.c.fate == Fate.AT_WORK))
            if tried and not claims.finish(claim, bytes.fromhex(tried[0].serial), b"code", 1):
                claims.give_up(claim, "given to another")

    @step(which=small, keep=one_of([False, True]))
    def fail(self, which: int, *, keep: bool) -> None:
        if self.held:
            claims, claim = self.held[which % len(self.held)]
            claims.fail(claim, "check", "no good")
            if not keep:
                self.held.remove((claims, claim))

    @step(place=places)
    def lapse(self, place: tuple[int, str]) -> None:
        lapse(self.jobs[place[0]])

    @step(place=places)
    def kill_station(self, place: tuple[int, str]) -> None:
        job, machine = self.job_of(place)
        lapse(job, station=f"{machine}/1")

    @step(place=places, serial=serials)
    def turn_away(self, place: tuple[int, str], serial: bytes) -> None:
        job, machine = self.job_of(place)
        if (shift := shift_of(job, machine)) is not None:
            Claims(job, f"{machine}/1", shift).turn_away(serial, "not blank")

    @step(place=places, serials=some_serials)
    def scrap(self, place: tuple[int, str], serials: set[bytes] | None) -> None:
        job = self.jobs[place[0]]
        chosen = None if serials is None else [serial.hex().upper() for serial in serials]
        with suppress(RuleBroken):
            destroyed = set(scrap(job, PEOPLE, "bin is full", serials=chosen))
            self.dead |= destroyed
            self.seen["scrapped"] += len(destroyed)
            assert scrap(job, PEOPLE, "bin is full", serials=chosen) == []

    @step(place=places, which=small, step=one_of([remake, draw_sample]), again=one_of([False, True]))
    def kill_card(self, place: tuple[int, str], which: int, step: Callable[..., bool], *, again: bool) -> None:
        job = self.jobs[place[0]]
        good = [(row.number, row.serial) for row in job.settled(State.GOOD)]
        number, serial = good[which % len(good)] if good else (which, "")
        with suppress(RuleBroken):
            if step(job, PEOPLE, number, "scratched", serial=serial if again else "") and serial:
                self.dead.add(serial)
                self.seen["dead"] += 1
            assert not step(job, PEOPLE, number, "scratched", serial=serial), "done once"

    @step(place=places, chips=small)
    def lose(self, place: tuple[int, str], chips: int) -> None:
        job, machine = self.job_of(place)
        with suppress(RuleBroken):
            declare_lost(job, PEOPLE, machine, chips, "not found")
            assert not declare_lost(job, PEOPLE, machine, chips, "not found")

    @step(place=places, chips=small)
    def open_shift(self, place: tuple[int, str], chips: int) -> None:
        job, machine = self.job_of(place)
        with suppress(RuleBroken):
            open_shift(job, machine, "night", "li", chips)

    @step(place=places, chips=small)
    def issue(self, place: tuple[int, str], chips: int) -> None:
        job, machine = self.job_of(place)
        if (shift := shift_of(job, machine)) is not None:
            issue_chips(job, shift, "li", chips)

    @step(place=places, wrong=one_of([0, 0, 0, -1, 1]), over=one_of([False, True]))
    def close_shift(self, place: tuple[int, str], wrong: int, *, over: bool) -> None:
        job, machine = self.job_of(place)
        found = next(
            (balance for balance in balances(job) if balance.machine == machine and balance.returned is None), None
        )
        if found is None:
            return
        counted = max(found.missing + wrong, 0)
        try:
            if over:
                closed = hand_over(job, machine, PEOPLE, counted, "next")
            else:
                closed = close_shift(job, found.shift, "li", counted)
        except BalanceOpen:
            return
        assert counted == found.missing
        self.closed[closed.shift] = closed
        self.seen["shift closed"] += 1

    @step(place=places, state=one_of([JobState.PAUSED, JobState.OPEN, JobState.DRAINING]))
    def steer(self, place: tuple[int, str], state: JobState) -> None:
        with suppress(RuleBroken):
            steer(self.jobs[place[0]], state, "li")

    @step(place=places)
    def resume(self, place: tuple[int, str]) -> None:
        with suppress(RuleBroken):
            steer(self.jobs[place[0]], JobState.OPEN, "li")

    @step(place=places, number=numbers)
    def hurry(self, place: tuple[int, str], number: int) -> None:
        with suppress(RuleBroken):
            set_priority(self.jobs[place[0]], number, 5, "li")

    @step(place=places)
    def close_job(self, place: tuple[int, str]) -> None:
        job = self.jobs[place[0]]
        open_still = what_is_open(job)
        try:
            close_job(job, "li")
        except BalanceOpen:
            assert open_still
        else:
            assert not open_still or job.state is not JobState.CLOSED

    def chips_add_up(self) -> None:
        rows = self.rows(select(chip.c.job, chip.c.shift, chip.c.fate, chip.c.serial))
        for job in self.jobs:
            for balance in balances(job):
                fates = Counter(row.fate for row in rows if row.shift == balance.shift)
                assert fates[Fate.GOOD] == balance.good
                assert fates[Fate.SCRAP] == balance.scrap - balance.lost
                seen = sum(fates.values())
                assert balance.opening == seen + balance.lost + (balance.returned or 0) + balance.missing
                if (closed := self.closed.get(balance.shift)) is not None:
                    assert (balance.opening, balance.returned, balance.lost) == (
                        closed.opening,
                        closed.returned,
                        closed.lost,
                    )
                    assert balance.missing == 0, "a shift that closed stays accounted for"

    def every_holder_has_one_good_card_at_most(self) -> None:
        good = self.rows(select(chip.c.job, chip.c.number, chip.c.serial).where(chip.c.fate == Fate.GOOD))
        cards = self.rows(select(card.c.job, card.c.number, card.c.serial).where(card.c.state == State.GOOD))
        assert sorted(good) == sorted(cards)
        assert len({(row.job, row.number) for row in good}) == len(good)
        assert len({row.serial for row in good}) == len(good), "no chip is good for two"

    def the_dead_stay_dead(self) -> None:
        alive = [Fate.GOOD, Fate.AT_WORK]
        found = self.rows(select(chip.c.serial).where(chip.c.fate.in_(alive), chip.c.serial.in_(self.dead)))
        assert found == []
        assert {dead.serial for job in self.jobs for dead in dead_cards(job)} <= self.dead

    def rows(self, query: Any) -> list[Any]:
        with self.bureau.transaction() as connection:
            return list(connection.execute(query).all())


def walk(address: str, seed: int, steps: int) -> Counter[str]:
    """What was done in a walk of so many steps, after each of which everything adds up."""
    luck = Random(seed)
    there = Walk(address)
    methods = [method for method in vars(Walk).values() if hasattr(method, "draws")]
    methods += [Walk.make] * 8 + [Walk.kill_card] * 2 + [Walk.close_shift] * 4 + [Walk.resume] * 2
    done: list[str] = []
    for _ in range(steps):
        method = luck.choice(methods)
        drawn = {name: draw(luck) for name, draw in method.draws.items()}
        done.append(f"{method.__name__}({drawn})")
        try:
            method(there, **drawn)
            there.chips_add_up()
            there.every_holder_has_one_good_card_at_most()
            there.the_dead_stay_dead()
        except AssertionError as error:
            error.add_note("\n".join(done))
            raise
    there.end()
    return there.seen


@pytest.mark.parametrize("start", range(0, 24, 8))
def test_on_sqlite(start: int) -> None:
    seen = Counter[str]()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - thousands of commits
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for seed in range(start, start + 8):
            seen += walk(str(Path(folder) / f"{seed}.sqlite"), seed, 100)
    assert min(seen[what] for what in ("good", "dead", "scrapped", "refused chip", "shift closed")) >= 3, seen


def test_on_postgresql() -> None:
    for seed in range(100, 103):
        walk(server().new_database(), seed, 80)
