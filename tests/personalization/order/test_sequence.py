"""Orders come once, and one after the other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.order.sequence import Batch, OrderRegister, OutOfSequence, Series, require_in_turn

FIRST = OrderName("P", "0000000009", "20261101080000", "V01", "0", "990100", "95588", "")


class Register:
    """The register of a bureau that keeps it in memory."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, OrderName, str]] = []

    def take(self, name: OrderName, digest: str) -> str:
        """The order is taken in when its turn has come; what is missing before it comes back."""
        register: OrderRegister = self
        gap = require_in_turn(name, digest, register)
        self.taken.append((f"job-{len(self.taken) + 1}", name, digest))
        return gap

    def seen_digest(self, digest: str) -> str | None:
        return next((job for job, _, seen in self.taken if seen == digest), None)

    def seen_batch(self, series: Series, batch: str) -> str | None:
        return next((job for job, name, _ in self.taken if (Series.of(name), name.batch) == (series, batch)), None)

    def last_batch(self, series: Series) -> Batch | None:
        batches = [Batch(name.batch, name.timestamp) for _, name, _ in self.taken if Series.of(name) == series]
        return max(batches, default=None, key=lambda batch: (len(batch.batch), batch.batch))


@pytest.fixture
def register() -> Register:
    register = Register()
    assert register.take(FIRST, "aa") == ""
    return register


def test_the_next_one_comes_in(register: Register) -> None:
    assert register.take(FIRST._replace(batch="0000000010", timestamp="20261102080000"), "bb") == ""
    assert register.take(FIRST._replace(batch="0000000011", timestamp="20261102080000"), "cc") == ""


def test_the_same_file_under_another_name(register: Register) -> None:
    with pytest.raises(OutOfSequence, match="this very order was taken in by job job-1"):
        register.take(FIRST._replace(batch="0000000010"), "aa")


def test_the_same_number_with_other_content(register: Register) -> None:
    with pytest.raises(OutOfSequence, match="batch 0000000009 was taken in by job job-1, with other content"):
        register.take(FIRST._replace(timestamp="20261103080000"), "bb")


def test_a_number_or_a_time_that_goes_back(register: Register) -> None:
    with pytest.raises(OutOfSequence, match="batch 0000000008 comes after 0000000009 of the P orders of vendor V01"):
        register.take(FIRST._replace(batch="0000000008", timestamp="20261103080000"), "bb")
    with pytest.raises(OutOfSequence, match="made at 20261031080000, before 0000000009"):
        register.take(FIRST._replace(batch="0000000010", timestamp="20261031080000"), "bb")


def test_a_gap_is_told_and_the_order_comes_in(register: Register) -> None:
    assert register.take(FIRST._replace(batch="0000000011"), "bb") == (
        "1 batch between 0000000009 and 0000000011 did not come: P orders of vendor V01 for city 990100 and bank 95588"
    )
    assert "3 batches between" in register.take(FIRST._replace(batch="0000000015"), "cc")


@pytest.mark.parametrize(
    "other",
    [{"vendor": "V02"}, {"kind": "Q"}, {"city": "990200"}, {"bank": "95599"}, {"batch": "R000000001"}],
    ids=lambda other: next(iter(other)),
)
def test_each_series_counts_by_itself(other: dict[str, str], register: Register) -> None:
    name = FIRST._replace(**{"batch": "0000000001", "timestamp": "20200101000000", **other})
    assert register.take(name, "bb") == ""


def test_a_number_beyond_all_measure(register: Register) -> None:
    assert register.take(FIRST._replace(batch="9" * 5000), "bb") == ""


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=25))
def test_what_was_taken_in_is_in_sequence(orders: list[tuple[int, int]]) -> None:
    register, missing = Register(), 0
    for number, hour in orders:
        name = FIRST._replace(batch=f"{number:010d}", timestamp=f"202611010{hour}0000")
        try:
            gap = register.take(name, f"{number}-{hour}")
        except OutOfSequence:
            continue
        missing += int(gap.split()[0]) if gap else 0
    taken = [(name.batch, name.timestamp) for _, name, _ in register.taken]
    assert taken == sorted(taken)
    assert len({batch for batch, _ in taken}) == len(taken)
    if taken:
        assert int(taken[-1][0]) - int(taken[0][0]) + 1 == len(taken) + missing
