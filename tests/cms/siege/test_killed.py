"""kill -9 while a use case runs, each of them: it is done or not done, and asked again it is done once."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from cms.asked import CASES, NAMES, books, effects, wish_of
from cms.siege.dying import AFTER_COMMIT, BEFORE_COMMIT, dying_at, statements_of
from cms.siege.processes import all_gone, apart
from kaguan.cms import audit
from kaguan.cms.ledger.proof import verify_books

pytestmark = pytest.mark.slow

REQUEST = UUID(int=990100)
MOMENTS = 3


def nothing_is_left_of_it(wish, moments):
    """Whoever asks dies at each of the moments, and the books are what they were."""
    before = books()
    for moment in moments:
        assert apart(dying_at(moment, wish)).killed
        all_gone()
        assert books() == before, f"killed at {moment}, the books are neither as before nor as after"


def once_and_for_all(wish):
    """Whoever asks dies with the answer; whoever asks again hears it, and nothing happens a second time."""
    assert apart(dying_at(AFTER_COMMIT, wish)).killed
    all_gone()
    after = books()
    answers = [apart(wish), apart(wish)]
    assert answers[0] == answers[1]
    assert answers[0].refusal is None
    assert books() == after
    receipts, done = effects(wish.request_id)
    assert receipts == done >= 1
    audit.verify_chain()
    verify_books()


HALVES = {"sqlite": CASES[::2], "postgresql": CASES[1::2]}
"""Each use case dies on one of the two; the soak has each on both, and at every statement."""


def name_of(case):
    return NAMES[CASES.index(case)]


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("case", HALVES["sqlite"], ids=name_of)
def test_a_use_case_killed_over_a_file_is_done_or_not_done(lasting_town, case):
    done_or_not_done(lasting_town, case)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("case", HALVES["postgresql"], ids=name_of)
def test_a_use_case_killed_over_a_server_is_done_or_not_done(lasting_town, case):
    done_or_not_done(lasting_town, case)


def done_or_not_done(town, case):
    """Killed at drawn statements and before its commit it never was; killed after it, it was."""
    wish = wish_of(case, town, REQUEST)
    statements = statements_of(wish)
    dice = Random(f"{name_of(case)} 1")
    moments = dice.sample(range(1, statements + 1), min(MOMENTS - 1, statements))
    nothing_is_left_of_it(wish, [*moments, BEFORE_COMMIT])
    once_and_for_all(wish)
