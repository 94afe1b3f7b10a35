"""An order comes in: judged, its rows prepared and sealed, and only then open for stations.

Law 1. Nothing is stored of an order that is refused.
Law 2. What was prepared before a crash is not prepared again, and no station gets a row before all are in.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from itertools import islice

from kaguan.apdu.errors import OrderError, RuleBroken
from kaguan.durable import write_whole
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.claims import CHIPS_PER_ROW
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, JobTerms, begin_job, job_of_order, only_job, require_same
from kaguan.personalization.job.register import JobRegister
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.keys.tokenstore import StoreAddress, store_of
from kaguan.personalization.keystore import (
    RECORDS,
    OpenVault,
    make_test_store,
    opened_store,
    require_keys,
    require_kind,
)
from kaguan.personalization.line.printing import require_printable_names
from kaguan.personalization.line.terms import LineOrder, order_digest
from kaguan.personalization.order.authentic import authenticate
from kaguan.personalization.order.check import check_order
from kaguan.personalization.order.pipetext import lines
from kaguan.personalization.order.reading import OrderFile, open_order
from kaguan.personalization.order.report import OrderReport
from kaguan.personalization.order.sequence import require_in_turn
from kaguan.personalization.preparation.chunks import Terms, chunks, raw_rows, with_photos
from kaguan.personalization.preparation.engine import prepared
from kaguan.personalization.preparation.here import HereEngine
from kaguan.personalization.preparation.local import LocalEngine
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.preparation.sealing import KEY_SIZE
from kaguan.personalization.station.pins import DRAWN, sealed_pin_key
from kaguan.personalization.station.records import JobRecords, open_records, record_place
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret

_TELL_SECONDS = 5.0
_SMALL_BYTES = 4 << 20
"""Bytes of an order, photos included, below which other processes are not worth starting."""


class OrderRefused(OrderError):
    """The order has faults; nothing was made. `report` lists them all."""

    def __init__(self, report: OrderReport, file: str) -> None:
        self.report = report
        super().__init__(f"{report.count} faults, nothing was made", file=file)


def take_in(bureau: Bureau, line: LineOrder, tell: Callable[[str], None]) -> Job:
    """The job of the order, every row of it in and open for stations; the same one when it was begun before.

    `tell` is told what an operator should know.
    Raises:
        NotAuthentic: it is not proved that the order comes from whom it should.
        OutOfSequence: it is not this order's turn.
        OtherOrder: the name, or the folder, belongs to another order's job, or the order has a job of another name.
        OrderRefused: the order has faults that are not to be skipped.
        GlyphsMissing: a name has a character that no font of this machine has.
        OrderError: it was changed meanwhile.
        RuleBroken, VaultError: the keys are not those that the order's cards need.
    """
    proved = authenticate(line.order, line.trust)
    digest = proved.digest
    begun = job_of_order(bureau, digest, line.name) or (only_job(bureau) if not line.database else None)
    if begun is not None:
        require_same(begun.terms, _wanted(begun.terms, line, digest))
        with _keys(begun.terms, line):
            pass
        if begun.state is not JobState.PREPARING:
            begun.move(JobState.OPEN, among=[JobState.PAUSED, JobState.DRAINING])
            return begun
    with _engine(line) as executor, open_order(line.order) as order:
        assert order.name is not None  # noqa: S101 - `open_order` has refused it otherwise
        gap = "" if begun else require_in_turn(order.name, digest, JobRegister(bureau))
        if gap:
            tell(gap)
        report = check_order(line.order, line.rules, executor)
        if report.file_faults or (report.row_faults and not line.skip_bad):
            raise OrderRefused(report, line.order.name)
        if line.check_names and begun is None:
            require_printable_names(order, report, tell)
        job, records = _begin(bureau, line, order, digest)
        _bring_in(job, records, order, report, executor, _now_and_then(tell))
    if order_digest(line.order) != digest:
        job.forget()
        raise OrderError("the file was changed while it came in; nothing was made", file=line.order.name)
    if job.move(JobState.OPEN, among=[JobState.PREPARING]):
        with bureau.transaction() as connection:
            note(
                connection,
                job.key,
                line.operator,
                "order taken in",
                order=line.order.name,
                digest=digest,
                proof=str(proved),
                gap=gap,
            )
    return job


def _bring_in(
    job: Job,
    records: JobRecords,
    order: OrderFile,
    report: OrderReport,
    executor: Executor,
    tell_rows: Callable[[int], None],
) -> None:
    """The order's rows are in. Where PINs are drawn it is done here, wherever the rows were prepared."""
    terms = Terms(record_place(job.terms.name), job.terms.profile, job.terms.columns, records.key)
    there = job.rows_in()
    with order.archive.open_list() as stream:
        rows = islice(raw_rows(lines(stream), report.reason, file=order.path.name), there, None)
        works = chunks(terms, with_photos(rows, order), first_number=there + 1)
        for chunk in prepared(works, executor):
            if records.pins.drawn:
                good = [row for row in chunk.rows if not row.reason]
                records.pins.draw([(row.number, records.open_any(row.number, row.sealed)[0]) for row in good])
            job.append(chunk.rows)
            tell_rows(chunk.first_number + len(chunk.rows) - 1)


def _now_and_then(tell: Callable[[str], None]) -> Callable[[int], None]:
    """What tells how many rows are in, at most every few seconds."""
    last = time.monotonic()

    def tell_rows(rows: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _TELL_SECONDS:
            last = time.monotonic()
            tell(f"{rows} rows are prepared")

    return tell_rows


def _engine(line: LineOrder) -> Executor:
    """What judges and prepares the rows."""
    if line.engine is not None:
        return line.engine()
    return HereEngine() if line.order.stat().st_size < _SMALL_BYTES else LocalEngine()


def _begin(bureau: Bureau, line: LineOrder, order: OrderFile, digest: str) -> tuple[Job, JobRecords]:
    """The job, whose rows are still to come, and what seals them."""
    assert order.name is not None  # noqa: S101 - `open_order` has refused it otherwise
    store = line.store or _test_store(line)
    terms = JobTerms(
        name=line.name or order.name.file_name.removesuffix(".txt"),
        order_digest=digest,
        order_name=order.name.file_name,
        columns=order.columns,
        profile=line.profile.name,
        region=order.name.city,
        store=str(store.resolve()),
        backend=line.backend,
        sampling=str(line.sampling),
        first_chip=_first_chip(),
        pins=line.pins,
    )
    with _keys(terms, line) as vault:
        key = Secret(secrets.token_bytes(KEY_SIZE))
        pin_key = sealed_pin_key(vault, terms.name) if line.pins == DRAWN else None
        job = begin_job(bureau, terms, vault.seal_secret(RECORDS, key, record_place(terms.name)), pin_key)
        # It may have been begun before, with keys of its own.
        records = open_records(job, vault, plan_of(line.profile, order.columns))
        records.pins.open_key()
        return job, records


def _wanted(begun: JobTerms, line: LineOrder, digest: str) -> JobTerms:
    """What the line asks for, as far as it says."""
    return JobTerms(
        name=line.name or begun.name,
        order_digest=digest,
        order_name=begun.order_name,
        columns=begun.columns,
        profile=line.profile.name,
        region=begun.region,
        store=begun.store if line.store is None else str(line.store.resolve()),
        backend=line.backend,
        sampling=str(line.sampling),
        first_chip=begun.first_chip,
        pins=line.pins,
    )


def _test_store(line: LineOrder) -> StoreAddress:
    """A test store of the job's own, beside its folder; the one of a run that was killed, if there is one."""
    store = line.out / "keys" / "test.store"
    if not store.exists():
        store.parent.mkdir(exist_ok=True, mode=0o700)
        ceremony = make_test_store(store, line.profile)
        write_whole(store.with_name("ceremony.txt"), f"{ceremony}\n".encode())
    return store


@contextmanager
def _keys(terms: JobTerms, line: LineOrder) -> Iterator[OpenVault]:
    """The vault in the job's store: it has the keys that the cards need, and is test or live as the order is."""
    with opened_store(line.store or store_of(terms.store), line.passphrase) as vault:
        require_keys(vault, line.profile)
        if line.backend == "emulator" and vault.kind is StoreKind.LIVE:
            raise RuleBroken("live keys do not go onto emulated chips: make a test store, or use --backend pcsc")
        require_kind(vault.kind, terms.region)
        yield vault


def _first_chip() -> int:
    """The serial number of the stock's first chip: year and month, then a lot drawn by chance.

    Real chips have serial numbers that their factory never gives twice. Of emulated jobs two may overlap, which is
    unlikely for a few of them and not impossible; card management refuses the second card of one number.
    """
    year_month = int(time.strftime("%y%m"), 16)
    return year_month << 32 | secrets.randbits(31) // CHIPS_PER_ROW * CHIPS_PER_ROW
