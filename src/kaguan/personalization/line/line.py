"""The line: an order comes in, stations work it off, return files go out.

Everything is in the job's folder, and the same call goes on where a killed one stopped:
`job.sqlite` the rows, `cards/` the finished cards, `return-good.txt`, `return-bad.txt`, `report.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kaguan.apdu.errors import LinkError, OrderError, RuleBroken
from kaguan.card_os.profile import CardProfile
from kaguan.durable import InUse, clear_parts, locked, whole_file, write_whole
from kaguan.personalization.job.job import Counts, Job, JobTerms, OtherOrder
from kaguan.personalization.keys.tokenstore import StoreAddress, store_of
from kaguan.personalization.keystore import make_test_store, open_store, require_keys, require_kind
from kaguan.personalization.order.check import OrderReport, check_order
from kaguan.personalization.order.holder_rules import HolderRules
from kaguan.personalization.order.reading import Holder, open_order
from kaguan.personalization.order.returnfile import RejectRow, ReturnRow, write_rejects, write_return
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret

DATABASE = "job.sqlite"
CARDS = "cards"
_LOCK = ".line.lock"
STATIONS_LOCK = ".stations.lock"
MOST_RESTARTS = 3
POLL_SECONDS = 0.1
_OWNER_ONLY, _OWNER_FOLDER = 0o600, 0o700  # whatever is in the folder is about people


class OrderRefused(OrderError):
    """The order has faults; nothing was made. `report` lists them all."""

    def __init__(self, report: OrderReport, file: str) -> None:
        self.report = report
        super().__init__(f"{len(report.faults)} faults, nothing was made", file=file)


class StationsDied(LinkError):
    """Stations kept dying; the job is unfinished and the same command goes on with it."""


@dataclass(frozen=True, slots=True)
class LineOrder:
    """What to run, where, and how."""

    order: Path
    out: Path
    profile: CardProfile
    rules: HolderRules
    store: StoreAddress | None = None
    passphrase: Secret | None = None
    stations: int = 2
    backend: str = "emulator"
    reader: str = ""
    skip_bad: bool = False


def run_line(line: LineOrder, progress: Callable[[Counts], None]) -> Counts:
    """Every row of the order has its good card or its reason, and the return files say so.

    `progress` is called with the state of the rows now and then.
    Raises:
        InUse: another run works in the folder.
        OtherOrder: the folder belongs to another order.
        OrderRefused: the order has faults that are not to be skipped.
        StationsDied: stations died again and again.
    """
    line.out.mkdir(parents=True, exist_ok=True, mode=_OWNER_FOLDER)
    started = time.monotonic()
    with locked(line.out / _LOCK, f"the job in {line.out}"), ExitStack() as stack:
        _wait_for_orphans(line.out)
        (line.out / CARDS).mkdir(exist_ok=True)
        for folder in (line.out, line.out / CARDS):
            clear_parts(folder)
        job = stack.enter_context(Job(line.out / DATABASE))
        _take_in(job, line)
        _check_store(job, line)
        before = job.counts().good
        _Supervisor(job, line, job.begin_run()).work_off(progress)
        counts = job.counts()
        progress(counts)
        _write_results(job, line, counts, counts.good - before, time.monotonic() - started)
    return counts


def job_counts(out: Path) -> Counts:
    """How the job in the folder stands.

    Raises:
        RuleBroken: there is none.
    """
    path = out / DATABASE
    if not path.exists():
        raise RuleBroken(f"{out} holds no personalization job: start one with 'kaguan perso run'")
    with Job(path) as job:
        if not job.exists:
            raise RuleBroken(f"the job in {out} has not taken its order in yet: run 'kaguan perso run' again")
        return job.counts()


def _wait_for_orphans(out: Path) -> None:
    """Return when no station of a killed run is left; each ends by itself with the card it is at."""
    for _ in range(300):
        try:
            with locked(out / STATIONS_LOCK, f"the stations of {out}"):
                return
        except InUse:
            time.sleep(POLL_SECONDS)
    raise InUse(f"stations of an earlier run still work in {out}: stop them and try again")


def _take_in(job: Job, line: LineOrder) -> None:
    digest = _digest(line.order)
    if job.exists:
        if job.terms.order_digest != digest:
            raise OtherOrder(f"{line.out} holds the job of another order: choose another folder")
        _check_terms(job.terms, line)
        job.order_moved(str(line.order.resolve()))
        return
    report = check_order(line.order, line.rules)
    if report.file_faults or (report.row_faults and not line.skip_bad):
        raise OrderRefused(report, line.order.name)
    store = line.store
    if store is None:
        store = path = line.out / "keys" / "test.store"
        path.parent.mkdir(exist_ok=True, mode=0o700)
        ceremony = make_test_store(path, line.profile)
        write_whole(path.with_name("ceremony.txt"), f"{ceremony}\n".encode())
    with open_order(line.order) as order:
        assert order.name is not None  # noqa: S101 - `open_order` has refused it otherwise
        terms = JobTerms(
            digest, str(line.order.resolve()), line.profile.name, order.name.city, str(store.resolve()), line.backend
        )
        job.open_with(terms, _rows(order.holders(), report), _first_chip())


def _check_terms(terms: JobTerms, line: LineOrder) -> None:
    """Nothing happens when the job goes on as it began."""
    wanted = {"profile": line.profile.name, "backend": line.backend}
    if line.store is not None:
        wanted["store"] = str(line.store.resolve())
    for name, value in wanted.items():
        if getattr(terms, name) != value:
            raise OtherOrder(f"the job in {line.out} was begun with {name} {getattr(terms, name)}, not {value}")


def _check_store(job: Job, line: LineOrder) -> None:
    """Nothing happens when the store has the keys that the cards need, and is test or live as the order is."""
    vault = open_store(store_of(job.terms.store), line.passphrase)
    require_keys(vault, line.profile)
    if line.backend == "emulator" and vault.kind is StoreKind.LIVE:
        raise RuleBroken("live keys do not go onto emulated chips: make a test store, or use --backend pcsc")
    require_kind(vault.kind, job.terms.region)


def _rows(holders: Iterable[Holder], report: OrderReport) -> Iterator[tuple[Holder, str]]:
    reasons: dict[int, str] = {}
    for fault in report.row_faults:
        text = f"{fault.column}: {fault.reason}"
        reasons[fault.line] = f"{reasons[fault.line]}; {text}" if fault.line in reasons else text
    for holder in holders:
        yield holder, reasons.get(holder.line, "")


def _first_chip() -> int:
    """The serial number of the stock's first chip: year and month, then a lot drawn by chance.

    Real chips have serial numbers that their factory never gives twice. Of emulated jobs two may overlap, which is
    unlikely for a few of them and not impossible; card management refuses the second card of one number.
    """
    year_month = int(time.strftime("%y%m"), 16)
    return year_month << 32 | secrets.randbits(31)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Supervisor:
    """Keeps the stations of one run going until every row is settled."""

    def __init__(self, job: Job, line: LineOrder, run: int) -> None:
        self._job = job
        self._line = line
        self._run = run
        self._stations: dict[int, subprocess.Popen[bytes]] = {}
        self._restarts = 0

    def work_off(self, progress: Callable[[Counts], None]) -> None:
        """No row is open.

        Raises:
            StationsDied: stations died again and again.
        """
        try:
            while open_rows := self._job.counts().open:
                for number in range(1, min(self._line.stations, open_rows) + 1):
                    self._stations.setdefault(number, self._start(number))
                while self._stations:
                    time.sleep(POLL_SECONDS)
                    progress(self._job.counts())
                    self._bury_the_dead()
        finally:
            for process in self._stations.values():
                _close(process)
            for process in self._stations.values():
                process.wait()

    def _bury_the_dead(self) -> None:
        for number, process in list(self._stations.items()):
            code = process.poll()
            if code is None:
                continue
            _close(process)
            del self._stations[number]
            if not code:
                continue
            self._job.release(self._run, number)
            self._restarts += 1
            if self._restarts > MOST_RESTARTS:
                raise StationsDied(
                    f"station {number} ended with {code} and {MOST_RESTARTS} were restarted before: "
                    "mend what it says above, then run the same command again"
                )
            self._stations[number] = self._start(number)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        """A station process. It lives while its standard input is open; the passphrase comes in there."""
        command = [sys.executable, "-m", "kaguan", "perso", "station", str(self._line.out)]
        command += ["--run", str(self._run), "--number", str(number)]
        if self._line.reader:
            command += ["--reader", self._line.reader]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own program
        passphrase = self._line.passphrase
        pipe = _pipe(process)
        pipe.write((passphrase.reveal() if passphrase else b"") + b"\n")
        pipe.flush()
        return process


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    return process.stdin


def _close(process: subprocess.Popen[bytes]) -> None:
    try:
        _pipe(process).close()
    except BrokenPipeError:
        os.waitpid(process.pid, os.WNOHANG)


def _write_results(job: Job, line: LineOrder, counts: Counts, made: int, seconds: float) -> None:
    with whole_file(line.out / "return-good.txt", mode=_OWNER_ONLY) as file:
        write_return(file, (ReturnRow.of(holder, card_ident_code=code, atr=atr) for holder, code, atr in job.good()))
    with whole_file(line.out / "return-bad.txt", mode=_OWNER_ONLY) as file:
        write_rejects(file, (RejectRow.of(holder, stage=stage, reason=reason) for holder, stage, reason in job.bad()))
    report = {
        "order": line.order.name,
        "profile": line.profile.name,
        "region": job.terms.region,
        "stations": line.stations,
        **counts._asdict(),
        "chips_scrapped": counts.chips - counts.good,
        "made_in_this_run": made,
        "seconds": round(seconds, 3),
        "cards_per_second": round(made / seconds, 1),
    }
    write_whole(line.out / "report.json", json.dumps(report, indent=2, ensure_ascii=False).encode() + b"\n")
