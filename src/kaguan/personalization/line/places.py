"""Where a job is: its folder, or its database and name; and its records, opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.personalization.care.belongings import DATABASE
from kaguan.personalization.job.control import row_of_tag
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, find_job
from kaguan.personalization.keys.tokenstore import StoreAddress, store_of
from kaguan.personalization.keystore import OpenVault, opened_store
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.station.records import JobRecords, open_records
from kaguan.vault.secret import Secret

_MOST_ROW_DIGITS = 8  # a card number has nine characters


@dataclass(frozen=True, slots=True)
class Place:
    """A job's database by its address, the job's name if the database has several, and the folder of its cards."""

    address: str
    name: str = ""
    folder: Path | None = None

    @contextmanager
    def opened(self) -> Iterator[Job]:
        """The job, while the context lasts.

        Raises:
            NoSuchJob, DatabaseGone: there is none.
        """
        with Bureau(self.address) as bureau:
            yield find_job(bureau, self.name)


class OpenJob(NamedTuple):
    """A job whose records can be read."""

    job: Job
    vault: OpenVault
    profile: CardProfile
    records: JobRecords

    def row(self, which: str) -> int:
        """The row of this number, or of the card with this number.

        Raises:
            RuleBroken: there is no such card.
        """
        number = row_number(which)
        return row_of_tag(self.job, self.records.key.tag(which.strip().upper())) if number is None else number


def row_number(which: str) -> int | None:
    """The row, when that is what was said; None when it was a card number, which it takes the records to find."""
    return int(which) if which.isdecimal() and len(which) <= _MOST_ROW_DIGITS else None


def place_of(folder: Path | None, database: str, name: str) -> Place:
    """Where the job is, as somebody has said it.

    Raises:
        RuleBroken: nobody has, or the folder has no job.
    """
    if database:
        return Place(database, name, folder)
    if folder is None:
        raise RuleBroken("say which job: the folder of its run, or --database and --job")
    path = folder / DATABASE
    if not path.exists():
        raise RuleBroken(f"{folder} holds no personalization job: start one with 'kaguan perso run'")
    return Place(str(path), name, folder)


@contextmanager
def opened_records(job: Job, store: StoreAddress | None, passphrase: Secret | None) -> Iterator[OpenJob]:
    """The job's records, opened with this store or its own, while the context lasts.

    Raises:
        VaultError: the store does not open, or is another.
        RuleBroken: the job's personal data is purged.
    """
    terms = job.terms
    profile = load_profile(terms.profile)
    with opened_store(store or store_of(terms.store), passphrase) as vault:
        yield OpenJob(job, vault, profile, open_records(job, vault, plan_of(profile, terms.columns)))
