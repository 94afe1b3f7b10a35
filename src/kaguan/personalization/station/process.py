"""A station as a process of its own: works off claims until there are none, or until its supervisor is gone."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from kaguan.card_os.profile import load_profile
from kaguan.durable import locked
from kaguan.personalization.job.job import Job
from kaguan.personalization.keys.tokenstore import store_of
from kaguan.personalization.keystore import open_store
from kaguan.personalization.line.line import CARDS, DATABASE, STATIONS_LOCK
from kaguan.personalization.order.reading import open_order
from kaguan.personalization.station.reader_stock import ReaderStock
from kaguan.personalization.station.station import EmulatedStock, Station, Stock
from kaguan.vault.guard import GuardedVault
from kaguan.vault.secret import Secret

CLAIMS_AT_ONCE = 8


def run_station(
    out: Path, run: int, number: int, passphrase: Secret | None, *, reader: str, tell: Callable[[str], None]
) -> None:
    """No row of the job in this folder is pending, or the supervisor has closed this process's standard input, or
    a newer run has begun.

    `reader` is the PC/SC reader of a job whose chips are real; `tell` says what its operator has to do.

    Raises:
        KaguanError: the store, the order or the profile cannot be opened.
        OSError, sqlite3.Error: the disk fails.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(out / STATIONS_LOCK, f"the stations of {out}", shared=True))
        job = stack.enter_context(Job(out / DATABASE))
        terms = job.terms
        order = stack.enter_context(open_order(Path(terms.order_path)))
        profile = load_profile(terms.profile)
        vault = open_store(store_of(terms.store), passphrase)
        if isinstance(vault, GuardedVault):
            stack.callback(vault.close)  # what it reserved and did not use goes back
        stock: Stock = (
            EmulatedStock(profile, out / CARDS) if terms.backend == "emulator" else ReaderStock(profile, reader, tell)
        )
        station = Station(job, order, vault, profile, terms.region, stock)
        try:
            while not _alone() and (claims := job.claim(run, number, CLAIMS_AT_ONCE)):
                for claim in claims:
                    if _alone():
                        return
                    station.work(claim)
        finally:
            job.release(run, number)


def _alone() -> bool:
    """Whether standard input has ended, and with it whoever started this station."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)
