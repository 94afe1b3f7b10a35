"""Rows, claims and chips in a real database of either kind: nothing made twice, nothing lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from kaguan.personalization.job.claims import MOST_ATTEMPTS, Claims, lapse
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job, JobTerms, OtherOrder, begin_job, find_job
from kaguan.personalization.job.schema import JobState, State, card
from kaguan.personalization.job.shifts import BalanceOpen, balances, close_job, close_shift, open_shift
from kaguan.personalization.preparation.chunks import PreparedRow

TERMS = JobTerms("night", "d1", "P_1.txt", ("data_seq",), "ssc-v2", "990100", "keys", "emulator", "all", 1 << 40)


@pytest.fixture
def job(database: str) -> Iterator[Job]:
    with Bureau(database) as bureau:
        made = begin_job(bureau, TERMS, b"sealed key")
        made.append(
            PreparedRow(number, number + 3, number, "T1", bytes([number]), b"sealed") for number in range(1, 11)
        )
        assert made.move(JobState.OPEN, among=[JobState.PREPARING])
        yield made


def station(job: Job, name: str = "s1", **options: float) -> Claims:
    shift = next((balance.shift for balance in balances(job)), None) or open_shift(job, "m1", "night", "li", 30)
    return Claims(job, name, shift, **options)


def test_a_row_is_claimed_once_and_settled_by_its_holder_alone(job: Job) -> None:
    one, two = station(job), station(job, "s2")
    first = one.claim(10)
    assert [claim.number for claim in first] == list(range(1, 11))
    assert two.claim(10) == []
    assert one.took(first[0], b"\x3b\x01")
    assert one.finish(first[0], b"\x3b\x01", b"code", 280)
    assert one.finish(first[0], b"\x3b\x01", b"code", 280), "asked again, for the answer was lost: it is done"
    assert not one.fail(first[0], "check", "late")
    assert job.counts().good == 1


def test_a_claim_that_was_taken_away_settles_nothing(job: Job) -> None:
    one, two = station(job, lease_seconds=-1.0), station(job, "s2")
    (old,) = one.claim(1)
    assert one.took(old, b"\x3b\x01")
    assert lapse(job) == 1
    (new,) = two.claim(1)
    assert (new.number, new.attempt) == (old.number, old.attempt + 1)
    assert new.chip != old.chip
    assert not one.holds(old)
    assert not one.took(old, b"\x3b\x02")
    assert not one.finish(old, b"\x3b\x01", b"code", 1)
    assert two.took(new, b"\x3b\x03")
    assert two.finish(new, b"\x3b\x03", b"code", 1)
    (balance,) = balances(job)
    assert (balance.good, balance.rejected, balance.at_work) == (1, 1, 0)


def test_a_row_is_rejected_after_so_many_bad_chips(job: Job) -> None:
    claims = station(job)
    for attempt in range(MOST_ATTEMPTS):
        (claim,) = claims.claim(1)
        assert claims.took(claim, bytes([attempt]))
        assert claims.fail(claim, "write", "6F00")
        assert claim.number == 1
    assert [(row.number, row.stage, row.reason) for row in job.settled(State.REJECTED)] == [(1, "write", "6F00")]
    assert job.rejects_by_reason() == {"write: 6F00": MOST_ATTEMPTS}
    assert claims.claim(1)[0].number == 2


def test_urgent_rows_come_first(job: Job) -> None:
    with job.bureau.transaction() as connection:
        connection.execute(update(card).where(card.c.number == 7).values(priority=5))
    assert [claim.number for claim in station(job).claim(2)] == [1, 7]
    assert station(job, "s2").claim(1)[0].number == 2


@pytest.mark.parametrize("state", [JobState.PAUSED, JobState.DRAINING])
def test_a_job_that_is_not_open_gives_no_rows(job: Job, state: JobState) -> None:
    assert job.move(state, among=[JobState.OPEN])
    assert station(job).claim(5) == []


def test_many_stations_at_once_make_every_row_once(job: Job) -> None:
    job.append(PreparedRow(n, n, n, "T1", n.to_bytes(2, "big"), b"s") for n in range(11, 201))
    address, made, shift = job.bureau, Counter[int](), open_shift(job, "m1", "night", "li", 300)

    def work(number: int) -> None:
        with Bureau(str(address.url) if not address.embedded else str(address.url.database)) as bureau:
            claims = Claims(find_job(bureau), f"s{number}", shift)
            while found := claims.claim(3):
                for claim in found:
                    serial = claim.chip.to_bytes(8, "big")
                    assert claims.took(claim, serial)
                    assert claims.finish(claim, serial, b"code", 1)
                    made[claim.number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(made) == set(range(1, 201))
    assert set(made.values()) == {1}


def test_an_order_makes_one_job(job: Job) -> None:
    assert begin_job(job.bureau, TERMS, b"x").key == job.key
    with pytest.raises(OtherOrder, match="has a job already, night"):
        begin_job(job.bureau, JobTerms(**{**as_dict(TERMS), "name": "day"}), b"x")
    with pytest.raises(OtherOrder, match="of another order"):
        begin_job(job.bureau, JobTerms(**{**as_dict(TERMS), "order_digest": "d2"}), b"x")
    with pytest.raises(OtherOrder, match="profile ssc-v2, not ssc-v3"):
        begin_job(job.bureau, JobTerms(**{**as_dict(TERMS), "profile": "ssc-v3"}), b"x")


def test_a_shift_closes_when_every_chip_is_accounted_for(job: Job) -> None:
    claims = station(job)
    (claim,) = claims.claim(1)
    assert claims.took(claim, b"\x01")
    (balance,) = balances(job)
    with pytest.raises(BalanceOpen, match="1 chips are still in work"):
        close_shift(job, balance.shift, "li", 29)
    assert claims.finish(claim, b"\x01", b"code", 1)
    claims.turn_away(b"\x3b\x00", "not blank")
    with pytest.raises(BalanceOpen, match="1 chips are missing"):
        close_shift(job, balance.shift, "li", 27)
    with pytest.raises(BalanceOpen, match="1 chips too many"):
        close_shift(job, balance.shift, "li", 29)
    assert close_shift(job, balance.shift, "li", 28).closed
    with pytest.raises(Exception, match="9 rows of job night are open"):
        close_job(job, "li")


def test_the_database_keeps_time(job: Job) -> None:
    assert abs(job.bureau.clock() - time.time()) < 5


def as_dict(terms: JobTerms) -> dict[str, object]:
    return {name: getattr(terms, name) for name in JobTerms.__dataclass_fields__}
