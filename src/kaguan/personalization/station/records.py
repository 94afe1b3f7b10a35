"""A job's sealed records, opened for the station."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from kaguan.personalization.job.job import Job
from kaguan.personalization.keystore import RECORDS
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.preparation.packing import unpack
from kaguan.personalization.preparation.plan import Plan
from kaguan.personalization.preparation.record import PersoRecord
from kaguan.personalization.preparation.sealing import RecordKey
from kaguan.personalization.station.pins import JobPins
from kaguan.vault.vault import KeyVault


class JobRecords(NamedTuple):
    """What opens the records of one job."""

    key: RecordKey
    job: bytes
    plan: Plan
    pins: JobPins

    def open(self, number: int, sealed: bytes) -> tuple[Holder, PersoRecord]:
        """The holder of this row, and what goes onto the card, the row's own PIN included: for the station alone.

        Raises:
            RecordTampered, RecordUnknown: it is not what was prepared for this row.
        """
        holder, record = self.open_any(number, sealed)
        assert record is not None  # noqa: S101 - a refused row is never claimed
        return holder, replace(record, pin=self.pins.of(number, holder)) if self.pins.drawn else record

    def open_any(self, number: int, sealed: bytes) -> tuple[Holder, PersoRecord | None]:
        """As `open`, also for a row that was refused: there is nothing for a card then. A drawn PIN is not opened."""
        return unpack(self.plan, self.key.open(number, self.job, sealed))


def open_records(job: Job, vault: KeyVault, plan: Plan) -> JobRecords:
    """The job's records, opened with the data key that the vault had sealed.

    Raises:
        RuleBroken: the job's personal data is purged.
        VaultError: the key was sealed by another store, or for another job.
    """
    about = record_place(job.terms.name)
    key = RecordKey(vault.open_secret(RECORDS, job.data_key, about))
    return JobRecords(key, about, plan, JobPins(job, vault, plan))


def record_place(name: str) -> bytes:
    """What binds the data key and the records to the job of this name."""
    return f"job {name}".encode()
