"""A job of ten rows, two operators who exist, and the steps of a station, for tests of the bureau."""

from __future__ import annotations

import os

from kaguan.personalization.job.claims import Claim, Claims
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, JobTerms, begin_job
from kaguan.personalization.job.operators import TwoPeople, add_operator
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.preparation.chunks import PreparedRow
from kaguan.vault.sealing import SealingCost
from kaguan.vault.secret import Secret

CHEAP = SealingCost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE = Secret(b"correct horse")
PEOPLE = TwoPeople("Wang Fang", "Li Na")


def terms(name: str = "night") -> JobTerms:
    """What a job of this name is about."""
    columns = ("data_seq",)
    return JobTerms(name, f"d {name}", "P_1.txt", columns, "ssc-v2", "990100", "keys", "emulator", "all", 1 << 40)


def open_job(bureau: Bureau, rows: int = 10, name: str = "night") -> Job:
    """A job with so many rows that wait."""
    job = begin_job(bureau, terms(name), b"sealed key")
    job.append(
        PreparedRow(number, number + 3, number, "T1", number.to_bytes(2, "big"), b"sealed")
        for number in range(1, rows + 1)
    )
    assert job.move(JobState.OPEN, among=[JobState.PREPARING])
    return job


def hire(bureau: Bureau, *names: str) -> None:
    """These are operators, all with one passphrase; the first two without anybody's approval."""
    for number, name in enumerate(names or (PEOPLE.asked, PEOPLE.approved)):
        by = None if number < 2 else TwoPeople(*names[:2])
        assert add_operator(bureau, name, PASSPHRASE, by, random=os.urandom, cost=CHEAP)


def make(claims: Claims, serial: bytes, *, number: int | None = None) -> Claim:
    """The next row, or this one, has become a good card with this chip."""
    (claim,) = claims.claim(1, number=number)
    assert claims.took(claim, serial)
    assert claims.finish(claim, serial, b"code of " + serial, 280)
    return claim
