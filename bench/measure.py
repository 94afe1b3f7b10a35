"""Rates, and how they are shown: never a bare figure, always beside its floor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

ROUNDS = 7
SECONDS = 0.25
TURNS = 200


class Figure(NamedTuple):
    """A rate per second, the floor it is compared with, and the rate that was aimed at."""

    name: str
    rate: float
    floor: float | None = None
    aim: float | None = None


class Work(NamedTuple):
    """Something to be measured: `prepared` gives, off the clock, a run that counts for so many operations."""

    prepared: Callable[[], Callable[[], object]]
    counts: int


def best_rate(work: Callable[[], object], counts: int, *, calls_at_once: int = 50) -> float:
    """Operations per second in the best of several rounds; one call of `work` counts for so many."""
    best = 0.0
    for _ in range(ROUNDS):
        calls = 0
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < SECONDS:
            for _ in range(calls_at_once):
                work()
            calls += calls_at_once
        best = max(best, calls * counts / elapsed)
    return best


def best_rates(works: Sequence[Work], *, turns: int = TURNS) -> list[float]:
    """Operations per second of each, the best of many short runs taken in turns: a busy machine slows all alike."""
    best = [0.0] * len(works)
    for _ in range(turns):
        for place, work in enumerate(works):
            run = work.prepared()
            started = time.perf_counter()
            run()
            best[place] = max(best[place], work.counts / (time.perf_counter() - started))
    return best


def show(title: str, figures: Sequence[Figure]) -> None:
    """A table on the screen."""
    print(f"\n{title}")
    for figure in figures:
        ratio = "" if figure.floor is None else f"{figure.rate / figure.floor:8.1%} of its floor"
        aim = (
            "" if figure.aim is None else f"  aim {figure.aim:,.0f}: {'met' if figure.rate >= figure.aim else 'MISSED'}"
        )
        print(f"  {figure.name:<46}{figure.rate:>14,.0f}/s {ratio}{aim}")
