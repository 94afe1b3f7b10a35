"""A job's figures as its quality report and its workbook show them; nobody is named in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Integer, and_, case, cast, func, or_, select

from kaguan.personalization.job.job import Counts, Job
from kaguan.personalization.job.schema import Fate, State, card, chip, job, now_seconds, shift
from kaguan.personalization.job.shifts import Balance, balances, total_of
from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.outgoing.samplecard import Sample, sample_card
from kaguan.personalization.paper.qcreport import BalanceRow, QcData, StationRow
from kaguan.personalization.paper.workbook import Moment
from kaguan.personalization.station.records import JobRecords
from kaguan.vault.sealing import StoreKind
from kaguan.vault.vault import KeyVault

MOST_MOMENTS = 500
_LEAST_STEP_SECONDS = 60
_UNUSED = or_(
    chip.c.fate == Fate.REJECTED, and_(chip.c.fate == Fate.SCRAP, chip.c.ident_code.is_(None))
)  # a chip that never was a good card


class Times(NamedTuple):
    """When the job's order came in, and when it was closed, or now."""

    began_at: datetime
    ended_at: datetime


def qc_data(
    this: Job, records: JobRecords, vault: KeyVault, *, kind: StoreKind, folder: Path | None, counts: Counts
) -> QcData:
    """What the quality report says of the job. `folder` has its emulated cards, if it has any."""
    terms, profile, times = this.terms, records.plan.profile, job_times(this)
    name = OrderName.parse(terms.order_name)
    number, sampled = _samples(this)
    sample = sample_card(this, records, vault, folder, number) if number else None
    return QcData(
        job=terms.name,
        order_file=terms.order_name,
        customer=f"城市 {name.city}, 银行 {name.bank}" if name else terms.region,
        product=f"{profile.name} {profile.title}",
        key_store=f"{kind} {Path(terms.store).name.partition('?')[0]}",
        began_at=times.began_at,
        ended_at=times.ended_at,
        holders=counts.total,
        good=counts.good,
        rejected=counts.rejected,
        refused=counts.refused,
        balance=tuple(_balance(this)),
        rejects_by_reason=this.rejects_by_reason(),
        stations=tuple(station_rows(this)),
        sample_plan=_plan(terms.sampling),
        sampled=sampled,
        sample_faults=_check_faults(this),
        sample_card=f"(行 row {sample.row})" if sample else "",
        sample_fields=sample.fields if sample else (),
        remarks=tuple(_remarks(counts, sample)),
    )


def job_times(this: Job) -> Times:
    """When the job began and ended, in this machine's time."""
    query = select(job.c.opened_at, job.c.closed_at, now_seconds().label("now")).where(job.c.id == this.key)
    with this.bureau.transaction() as connection:
        row = connection.execute(query).one()
    return Times(_moment(row.opened_at), _moment(row.closed_at or row.now))


def station_rows(this: Job) -> Iterator[StationRow]:
    """What each station made in each shift."""
    good, rejected = (func.sum(case((what, 1), else_=0)) for what in (chip.c.fate == Fate.GOOD, _UNUSED))
    seconds = func.max(chip.c.settled_at) - func.min(chip.c.taken_at)
    query = (
        select(chip.c.station, shift.c.machine, shift.c.name, shift.c.opened_by, good, rejected, seconds)
        .join(shift, shift.c.id == chip.c.shift)
        .where(chip.c.job == this.key)
        .group_by(chip.c.station, shift.c.id, shift.c.machine, shift.c.name, shift.c.opened_by)
        .order_by(shift.c.id, chip.c.station)
    )
    with this.bureau.transaction() as connection:
        rows = connection.execute(query).all()
    for station, machine, name, operator, made, failed, took in rows:
        rate = 60 * made / took if took else 0.0
        yield StationRow(station, machine, name, operator, int(made), int(failed), round(rate, 1))


def moments(this: Job, counts: Counts) -> Iterator[Moment]:
    """How the job went on, in steps of a minute or, for a long job, of several."""
    settled = [chip.c.job == this.key, chip.c.settled_at.is_not(None)]
    with this.bureau.transaction() as connection:
        span = select(func.min(chip.c.settled_at), func.max(chip.c.settled_at)).where(*settled)
        first, last = connection.execute(span).one()
        if first is None:
            return
        step = max(_LEAST_STEP_SECONDS, int(last - first) // MOST_MOMENTS + 1)
        place = cast(func.floor((chip.c.settled_at - first) / step), Integer)
        good, rejected = (func.sum(case((what, 1), else_=0)) for what in (chip.c.fate == Fate.GOOD, _UNUSED))
        query = select(place, good, rejected, func.count(chip.c.station.distinct())).where(*settled)
        rows = connection.execute(query.group_by(place).order_by(place)).all()
    made = failed = 0
    for index, more, fewer, stations in rows:
        made, failed = made + int(more), failed + int(fewer)
        waiting = max(counts.total - counts.refused - made, 0)
        yield Moment(_moment(min(first + (index + 1) * step, last)), made, failed, waiting, stations)


def _samples(this: Job) -> tuple[int, int]:
    """The row whose card is shown, 0 for none, and how many good cards were checked to the last byte."""
    good = [card.c.job == this.key, card.c.state == State.GOOD]
    with this.bureau.transaction() as connection:
        deep = select(func.min(card.c.number), func.count()).where(*good, card.c.deep)
        first, count = connection.execute(deep).one()
        if first is None:
            first = connection.execute(select(func.min(card.c.number)).where(*good)).scalar_one()
    return first or 0, count


def _check_faults(this: Job) -> int:
    """How many chips the check has refused."""
    failed = [chip.c.job == this.key, chip.c.reason.like("check:%")]
    with this.bureau.transaction() as connection:
        return int(connection.execute(select(func.count()).select_from(chip).where(*failed)).scalar_one())


def _balance(this: Job) -> Iterator[BalanceRow]:
    shifts = balances(this)
    for machine in dict.fromkeys(balance.machine for balance in shifts):
        own = [balance for balance in shifts if balance.machine == machine]
        yield from (_balance_row(balance, f"{machine} / {balance.name}") for balance in own)
        if len(own) > 1:
            yield _balance_row(total_of(own, machine), machine)
    yield _balance_row(total_of(shifts, ""), "作业 job")


def _balance_row(balance: Balance, of: str) -> BalanceRow:
    counted = (balance.opening, balance.good, balance.rejected, balance.returned or 0)
    return BalanceRow(of, *counted, balance.samples, balance.scrap)


def _remarks(counts: Counts, sample: Sample | None) -> Iterator[str]:
    if counts.open:
        yield f"{counts.open} 行未完成: 作业尚未结束。 {counts.open} rows are open: the job is not finished."
    if sample is not None and sample.remark:
        yield sample.remark


def _plan(sampling: str) -> str:
    return "全部 all" if sampling == "all" else sampling


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at).astimezone().replace(microsecond=0)
