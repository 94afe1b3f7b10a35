"""Operators: known by name and passphrase, locked after guesses, never one person twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from kaguan.apdu.errors import InputError, NeedsSecondPerson, RuleBroken
from kaguan.personalization.job import operators as room
from kaguan.personalization.job.audit import entries, verify_trail
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.operators import (
    NotAuthenticated,
    TwoPeople,
    add_operator,
    authenticated,
    operators,
    person,
    remove_operator,
)
from kaguan.personalization.job.schema import operator
from kaguan.vault.secret import Secret
from personalization.job.bureaus import CHEAP, PASSPHRASE, PEOPLE, hire

WRONG = Secret(b"wrong horse")


@pytest.fixture
def bureau(database: str) -> Iterator[Bureau]:
    with Bureau(database) as opened:
        hire(opened)
        yield opened


def add(bureau: Bureau, name: str, by: TwoPeople | None) -> bool:
    return add_operator(bureau, name, PASSPHRASE, by, random=os.urandom, cost=CHEAP)


@pytest.mark.parametrize("typed", ["Wang Fang", "wang fang", " WANG  FANG ", "WangFang", "wang-fang", "ＷＡＮＧ fang"])
def test_case_and_space_are_no_other_person(bureau: Bureau, typed: str) -> None:
    assert authenticated(bureau, typed, PASSPHRASE) == "Wang Fang"
    with pytest.raises(NeedsSecondPerson, match="cannot approve what"):
        TwoPeople("Wang Fang", typed)
    assert not add(bureau, typed, PEOPLE)


@given(st.text(max_size=50))
def test_a_name_is_a_persons_or_refused(name: str) -> None:
    try:
        known = person(name)
    except InputError:
        return
    assert person(known) == known
    assert person(known.swapcase()) == known or known != known.swapcase().casefold()


def test_wrong_ones_lock_and_each_lasts_longer(bureau: Bureau) -> None:
    for _ in range(room.FREE_FAILURES):
        with pytest.raises(NotAuthenticated, match="the name or the passphrase is wrong"):
            authenticated(bureau, "Li Na", WRONG)
    with pytest.raises(NotAuthenticated, match="locked after wrong passphrases: wait 30 seconds"):
        authenticated(bureau, "Li Na", PASSPHRASE)
    assert authenticated(bureau, "Wang Fang", PASSPHRASE) == "Wang Fang", "others are not locked"
    wait_is_over(bureau)
    with pytest.raises(NotAuthenticated, match="wrong"):
        authenticated(bureau, "Li Na", WRONG)
    with pytest.raises(NotAuthenticated, match="wait 60 seconds"):
        authenticated(bureau, "Li Na", PASSPHRASE)
    wait_is_over(bureau)
    assert authenticated(bureau, "Li Na", PASSPHRASE) == "Li Na"
    with pytest.raises(NotAuthenticated, match="wrong"):
        authenticated(bureau, "Li Na", WRONG)
    assert authenticated(bureau, "Li Na", PASSPHRASE) == "Li Na", "the count began anew"
    locks = [entry.details for entry in entries(bureau) if entry.action == "operator locked"]
    assert [(lock["tries"], lock["seconds"]) for lock in locks] == [(3, 30.0), (4, 60.0), (5, 120.0)]
    verify_trail(bureau)


def test_who_guesses_at_once_gets_no_more_guesses(bureau: Bureau) -> None:
    said: list[str] = []

    def guess() -> None:
        try:
            authenticated(bureau, "Li Na", WRONG)
        except NotAuthenticated as error:
            said.append(str(error))

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([text for text in said if "is wrong" in text]) == room.FREE_FAILURES
    assert len(said) == 8


def test_a_stranger_is_told_what_a_wrong_passphrase_is(bureau: Bureau) -> None:
    with pytest.raises(NotAuthenticated, match="the name or the passphrase is wrong"):
        authenticated(bureau, "Nobody", PASSPHRASE)
    assert "horse" not in repr(list(entries(bureau))) + repr(operators(bureau))


def test_from_the_second_on_two_approve(bureau: Bureau) -> None:
    with pytest.raises(NeedsSecondPerson):
        add(bureau, "Zhao Lei", None)
    with pytest.raises(NotAuthenticated):
        add(bureau, "Zhao Lei", TwoPeople("Wang Fang", "Mallory"))
    with pytest.raises(RuleBroken, match="two operators have to stay"):
        remove_operator(bureau, "Li Na", PEOPLE)
    assert add(bureau, "Zhao Lei", PEOPLE)
    assert not add(bureau, "Zhao Lei", PEOPLE)
    with pytest.raises(NeedsSecondPerson):
        remove_operator(bureau, "Zhao Lei", None)
    assert remove_operator(bureau, "zhao lei", PEOPLE)
    assert not remove_operator(bureau, "zhao lei", PEOPLE)
    with pytest.raises(NotAuthenticated):
        authenticated(bureau, "Zhao Lei", PASSPHRASE)
    assert [(entry.name, entry.removed_at is None) for entry in operators(bureau)] == [
        ("Li Na", True),
        ("Wang Fang", True),
        ("Zhao Lei", False),
    ]
    assert add(bureau, "Zhao Lei", PEOPLE)
    assert authenticated(bureau, "Zhao Lei", PASSPHRASE)


def test_a_short_passphrase_is_none(bureau: Bureau) -> None:
    with pytest.raises(InputError, match="at least 8 bytes"):
        add_operator(bureau, "Zhao Lei", Secret(b"short"), PEOPLE, random=os.urandom, cost=CHEAP)


def wait_is_over(bureau: Bureau) -> None:
    with bureau.transaction() as connection:
        connection.execute(update(operator).values(locked_until=1.0))
