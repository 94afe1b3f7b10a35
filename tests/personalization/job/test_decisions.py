"""Two people's decisions: done once, never by one, and what is dead stays dead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.personalization.job.audit import entries, verify_trail
from kaguan.personalization.job.claims import Claims
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.decisions import dead_cards, declare_lost, draw_sample, remake, scrap
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.operators import NotAuthenticated, TwoPeople
from kaguan.personalization.job.schema import Fate, JobState, State
from kaguan.personalization.job.shifts import (
    BalanceOpen,
    balances,
    close_job,
    close_shift,
    hand_over,
    open_shift,
    shift_of,
    what_is_open,
)
from personalization.job.bureaus import PEOPLE, hire, make, open_job


@pytest.fixture
def job(database: str) -> Iterator[Job]:
    with Bureau(database) as bureau:
        hire(bureau)
        yield open_job(bureau, rows=2)


def station(job: Job, chips: int = 5) -> Claims:
    return Claims(job, "m1/1", open_shift(job, "m1", "night", "li", chips))


@pytest.mark.parametrize(("step", "fate"), [(remake, Fate.SCRAP), (draw_sample, Fate.SAMPLE)])
def test_a_good_card_dies_once_and_is_made_again(job: Job, step: Callable[..., bool], fate: Fate) -> None:
    claims = station(job)
    make(claims, b"\x01")
    make(claims, b"\x02")
    assert step(job, PEOPLE, 1, "scratched")
    assert not step(job, PEOPLE, 1, "scratched"), "asked twice"
    assert job.counts().pending == 1
    assert [(dead.number, dead.serial, dead.ident_code, dead.fate, dead.reason) for dead in dead_cards(job)] == [
        (1, "01", b"code of \x01", fate, "scratched")
    ]
    (claim,) = claims.claim(5)
    assert not claims.took(claim, b"\x01"), "the dead card turns up in the machine"
    claims.turn_away(b"\x01", "not blank")
    assert claims.took(claim, b"\x03")
    assert claims.finish(claim, b"\x03", b"code", 1)
    (balance,) = balances(job)
    assert (balance.good, balance.rejected, balance.samples + balance.scrap, balance.missing) == (2, 0, 1, 2)
    assert not step(job, PEOPLE, 1, "scratched", serial="01"), "it is dead already"
    with pytest.raises(RuleBroken, match="to do it once more say --serial 03"):
        step(job, PEOPLE, 1, "scratched")
    assert step(job, PEOPLE, 1, "scratched again", serial="03")
    verify_trail(job.bureau)


def test_a_card_made_again_comes_before_others(job: Job) -> None:
    claims = station(job)
    make(claims, b"\x02", number=2)
    assert remake(job, PEOPLE, 2, "bent")
    assert claims.claim(1)[0].number == 2


def test_a_closed_job_opens_for_a_card_made_again(job: Job) -> None:
    claims = station(job)
    make(claims, b"\x01")
    make(claims, b"\x02")
    close_shift(job, balances(job)[0].shift, "li", 3)
    assert close_job(job, "li")
    assert not close_job(job, "li")
    assert remake(job, PEOPLE, 2, "lost in the post")
    assert job.state is JobState.OPEN
    assert claims.claim(1) == [], "the machine has no shift, so no blank chips"
    open_shift(job, "m1", "day", "li", 1)
    make(claims, b"\x04")
    assert balances(job)[0].closed
    assert balances(job)[1].good == 1
    close_shift(job, balances(job)[1].shift, "li", 0)
    assert close_job(job, "li")


def test_a_closed_job_opens_no_shift(job: Job) -> None:
    """A station that was long in coming would leave it open for ever."""
    claims = station(job, chips=2)
    make(claims, b"\x01")
    make(claims, b"\x02")
    close_shift(job, balances(job)[0].shift, "li", 0)
    assert close_job(job, "li")
    with pytest.raises(RuleBroken, match="is closed"):
        open_shift(job, "m1", "night", "m1/2", 0)
    assert [balance.closed for balance in balances(job)] == [True]


def test_a_row_without_a_card_gets_another_chance(job: Job) -> None:
    claims = station(job, 10)
    for attempt in range(3):
        (claim,) = claims.claim(1, number=1)
        assert claims.took(claim, bytes([attempt]))
        assert claims.fail(claim, "write", "6F00")
    assert [row.number for row in job.settled(State.REJECTED)] == [1]
    assert remake(job, PEOPLE, 1, "new lot of chips")
    assert dead_cards(job) == []
    make(claims, b"\x09", number=1)


def test_scrap_empties_the_reject_bin_with_a_list(job: Job) -> None:
    claims = station(job)
    for attempt in range(2):
        (claim,) = claims.claim(1)
        assert claims.took(claim, bytes([0xA0 + attempt]))
        assert claims.fail(claim, "write", "6F00")
    claims.turn_away(b"\xa2", "not blank")
    with pytest.raises(RuleBroken, match="not in the reject bin of job night: FF"):
        scrap(job, PEOPLE, "end of shift", serials=["A0", "FF"])
    assert balances(job)[0].rejected == 3
    assert scrap(job, PEOPLE, "end of shift", serials=["a0"]) == ["A0"]
    assert scrap(job, PEOPLE, "end of shift", serials=["A0"]) == []
    assert scrap(job, PEOPLE, "end of shift") == ["A1", "A2"]
    assert scrap(job, PEOPLE, "end of shift") == []
    assert (balances(job)[0].rejected, balances(job)[0].scrap) == (0, 3)
    listed = [entry.details["serial"] for entry in entries(job.bureau) if entry.action == "chip scrapped"]
    assert listed == ["A0", "A1", "A2"]
    (claim,) = claims.claim(1, number=2)
    assert not claims.took(claim, b"\xa1"), "somebody took it out of the shredder"


def test_lost_chips_close_the_balance_on_purpose_only(job: Job) -> None:
    make(station(job), b"\x01")
    shift = balances(job)[0].shift
    with pytest.raises(BalanceOpen, match="1 chips are missing"):
        close_shift(job, shift, "li", 3)
    with pytest.raises(RuleBroken, match="5 cannot be lost"):
        declare_lost(job, PEOPLE, "m1", 5, "fell behind the machine")
    assert declare_lost(job, PEOPLE, "m1", 1, "fell behind the machine")
    assert not declare_lost(job, PEOPLE, "m1", 1, "fell behind the machine")
    closed = close_shift(job, shift, "li", 3)
    assert (closed.scrap, closed.lost, closed.missing) == (1, 1, 0)
    assert close_shift(job, shift, "li", 3) == closed
    with pytest.raises(RuleBroken, match="closed already, with 3"):
        close_shift(job, shift, "li", 2)
    with pytest.raises(RuleBroken, match="no open shift"):
        declare_lost(job, PEOPLE, "m1", 2, "fell behind the machine")


def test_shifts_hand_over_what_both_have_counted(job: Job) -> None:
    claims = station(job)
    make(claims, b"\x01")
    (held,) = claims.claim(1)
    with pytest.raises(BalanceOpen, match="hold 1 rows"):
        hand_over(job, "m1", PEOPLE, 4, "day")
    claims.release()
    assert held.number == 2
    with pytest.raises(BalanceOpen, match="1 chips are missing"):
        hand_over(job, "m1", PEOPLE, 3, "day")
    assert shift_of(job, "m1") == balances(job)[0].shift, "nothing was changed"
    assert hand_over(job, "m1", PEOPLE, 4, "day", more=10).closed
    make(claims, b"\x02")
    night, day = balances(job)
    assert (night.opening, night.good, night.returned) == (5, 1, 4)
    assert (day.name, day.opening, day.good, day.missing) == ("day", 14, 1, 13)
    assert what_is_open(job) == ["shift day of machine m1: its blank chips are not counted back yet"]
    with pytest.raises(BalanceOpen, match="does not close: shift day"):
        close_job(job, "li")


def test_who_is_no_operator_decides_nothing(job: Job) -> None:
    make(station(job), b"\x01")
    with pytest.raises(NotAuthenticated, match="Mallory is no operator"):
        remake(job, TwoPeople("Wang Fang", "Mallory"), 1, "scratched")
    assert job.counts().good == 1


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 121, "of 990101195003070010", "a\x1b[2J"])
def test_a_reason_is_one_line_without_numbers_of_people(job: Job, reason: str) -> None:
    with pytest.raises(InputError):
        remake(job, PEOPLE, 1, reason)


def test_a_row_that_never_was_a_card_is_not_made_again(job: Job) -> None:
    with pytest.raises(RuleBroken, match="has no row 99"):
        remake(job, PEOPLE, 99, "scratched")
    assert not draw_sample(job, PEOPLE, 1, "for the laboratory"), "it waits already"
