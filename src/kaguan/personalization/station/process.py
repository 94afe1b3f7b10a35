"""A station as a process of its own: works off claims until there are none, or until it is told to end.

It needs the database's address, the key store and the job's name, and nothing else: it may stand on any machine.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.durable import InUse, locked
from kaguan.personalization.job.claims import LEASE_SECONDS, Claims, lapse
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, find_job
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.job.shifts import open_shift, shift_of
from kaguan.personalization.keys.tokenstore import StoreAddress, store_of
from kaguan.personalization.keystore import opened_store
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.station.leftover import sort_leftover
from kaguan.personalization.station.reader_stock import ReaderStock
from kaguan.personalization.station.records import open_records
from kaguan.personalization.station.sampling import Sampling
from kaguan.personalization.station.station import Bench, Station
from kaguan.personalization.station.stock import EmulatedStock, Leaving, Stock
from kaguan.vault.secret import Secret

CARDS = "cards"
STATIONS_LOCK = ".stations.lock"
EMULATOR = "emulator"
CLAIMS_AT_ONCE = 8
_WAIT_SECONDS = 0.2
_JOINING_TURNS = 50
_OWNER_FOLDER = 0o700  # whatever is in the folder is about people
_OVER = (JobState.DRAINING, JobState.CLOSED)


@dataclass(frozen=True, slots=True)
class Post:
    """Where a station stands: which job of which database, whose keys (the job's own store if None), which machine, and
    the folder for finished emulated cards or the PC/SC reader. A claim is its own for `lease_seconds`."""

    database: str
    job: str
    out: Path
    store: StoreAddress | None = None
    machine: str = field(default_factory=socket.gethostname)
    number: int = 1
    reader: str = ""
    lease_seconds: float = LEASE_SECONDS

    @property
    def name(self) -> str:
        """What the station is called in the job."""
        return f"{self.machine}/{self.number}"


def run_station(
    post: Post, passphrase: Secret | None, *, tell: Callable[[str], None], ended: Callable[[], bool]
) -> None:
    """No row of the job is open, or the job is drained or closed, or `ended` says so.

    `tell` says what the operator of a real reader has to do.
    Raises:
        KaguanError: the database, the store or the profile cannot be opened.
        OSError: the disk fails.
    """
    cards = post.out / CARDS
    cards.mkdir(parents=True, exist_ok=True, mode=_OWNER_FOLDER)
    with ExitStack() as stack:
        job = find_job(stack.enter_context(Bureau(post.database)), post.job)
        stack.callback(_sort_if_alone, job, post.out)  # last of all
        _sort_if_alone(job, post.out)
        _join_stations(stack, post.out)
        shift = None if ended() or job.state in _OVER else _shift(job, post)
        if shift is None:
            return
        terms = job.terms
        profile = load_profile(terms.profile)
        vault = stack.enter_context(opened_store(post.store or store_of(terms.store), passphrase))
        records = open_records(job, vault, plan_of(profile, terms.columns))
        claims = Claims(job, post.name, shift, lease_seconds=post.lease_seconds)
        stock, at_once = _stock(job, profile, post, tell, ended)
        station = Station(claims, Bench(records, vault, profile, terms.region, stock, Sampling.parse(terms.sampling)))
        stack.callback(claims.release)
        with suppress(Leaving):
            _work_off(job, claims, station, at_once, ended)


def _work_off(job: Job, claims: Claims, station: Station, at_once: int, ended: Callable[[], bool]) -> None:
    while not ended():
        found = claims.claim(at_once)
        if not found and _over(job):
            return
        station.prepare(found)
        for claim in found:
            if ended():
                return
            station.work(claim)


def _stock(
    job: Job, profile: CardProfile, post: Post, tell: Callable[[str], None], ended: Callable[[], bool]
) -> tuple[Stock, int]:
    """Where the station's chips come from, and how many rows it claims together."""
    if job.terms.backend == EMULATOR:
        return EmulatedStock(profile, post.out / CARDS), CLAIMS_AT_ONCE
    if not post.reader:
        raise RuleBroken(f"job {job.terms.name} is made on real chips: name this station's --reader")
    return ReaderStock(post.reader, tell, lambda: ended() or job.state in _OVER), 1


def _shift(job: Job, post: Post) -> int | None:
    """The machine's open shift; one without blank chips handed out, whose chips are counted as they come, when it has
    none; None when the job was closed meanwhile."""
    shift = shift_of(job, post.machine)
    if shift is None:
        with suppress(RuleBroken):  # another station of the machine was faster, or the job is closed
            open_shift(job, post.machine, time.strftime("%Y-%m-%d"), post.name, 0)
        shift = shift_of(job, post.machine)
    return shift


def _sort_if_alone(job: Job, out: Path) -> None:
    """What killed stations left in the folder is in order, unless others work there."""
    with suppress(InUse), locked(out / STATIONS_LOCK, f"the stations of {out}"):
        sort_leftover(job, out / CARDS)


def _join_stations(stack: ExitStack, out: Path) -> None:
    """Until the stack is closed nobody is alone in the folder."""
    for left in reversed(range(_JOINING_TURNS)):
        try:
            stack.enter_context(locked(out / STATIONS_LOCK, f"the stations of {out}", shared=True))
            return
        except InUse:  # by somebody who puts it in order
            if not left:
                raise
        time.sleep(_WAIT_SECONDS)


def _over(job: Job) -> bool:
    """Whether there is nothing more to come; else a moment has passed, and claims whose time ran out are free."""
    state = job.state
    if state in _OVER:
        return True
    if not lapse(job):
        if state is not JobState.PREPARING and not job.has_open():
            return True
        time.sleep(_WAIT_SECONDS)
    return False
