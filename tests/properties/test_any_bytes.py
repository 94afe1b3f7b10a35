"""Whatever bytes are sent to whatever card, in whatever state, the judge finds nothing, and a fault he finds."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from properties import faults
from properties.judge import Finding
from properties.life import ACTS, Life
from properties.population import cards, families

SEEDS = st.integers(0, 2**32 - 1)


class AnyBytes(RuleBasedStateMachine):
    """A card of any kind, and everything that can be said to it; the judge looks at every answer."""

    @initialize(kind=st.sampled_from(families()).flatmap(st.sampled_from), seed=SEEDS)
    def begin(self, kind: str, seed: int) -> None:
        self.life = Life(Random(seed), kind, luck=Random(seed + 1).randbytes)
        self.judge = self.life.judge

    @rule(command=st.binary(max_size=300))
    def send(self, command: bytes) -> None:
        self.judge.transceive(command)

    @rule(
        header=st.binary(min_size=4, max_size=7), size=st.integers(4, 65_544), filling=st.sampled_from(b"\x00\x30\xff")
    )
    def send_much(self, header: bytes, size: int, filling: int) -> None:
        self.judge.transceive((header + bytes((filling,)) * size)[:size])

    @rule(act=st.sampled_from(sorted(ACTS)), seed=SEEDS)
    def act(self, act: str, seed: int) -> None:
        self.life.random.seed(seed)
        self.life.act(act)

    @rule(command=st.binary(min_size=4, max_size=20), writes=st.integers(0, 8))
    def tear(self, command: bytes, writes: int) -> None:
        self.judge.torn(command, writes)

    def teardown(self) -> None:
        self.judge.inspect()


TestAnyBytes = AnyBytes.TestCase
TestAnyBytes.settings = settings(max_examples=25, stateful_step_count=20)


@pytest.mark.parametrize("number", range(2 * len(families())))
def test_a_life(number: int) -> None:
    Life.of(1, number).live()


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(cards()))
def test_every_kind_of_card(kind: str) -> None:
    Life(Random(kind), kind, luck=Random(0).randbytes).live()


PLANTED: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    faults.refusal_writes,
    faults.wrong_pin_costs_nothing,
    faults.wrong_pin_changes_the_pin,
    faults.verify_echoes,
    faults.challenge_reusable,
    faults.malformed_command_keeps_the_challenge,
    faults.rights_kept_across_applications,
    faults.reset_keeps_the_session,
    faults.short_way_skips_the_storage,
    faults.counter_stands_still,
    faults.proof_not_kept,
    faults.funds_not_asked,
    faults.recovery_ignores_the_mark,
    faults.recovery_clears_before_it_applies,
)
MOST_LIVES = 300


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_the_judge_finds_the_fault(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cards()  # made before the fault is planted
    plant(monkeypatch)
    with pytest.raises(Finding):
        _many_lives()


def _many_lives() -> None:
    for number in range(MOST_LIVES):
        Life.of(2, number).live()
