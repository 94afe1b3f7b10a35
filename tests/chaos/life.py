"""The life of one bureau, from its order to the verdict."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from chaos.bureau import Finding, House
from chaos.faults import befall
from chaos.judge import is_closed, is_used_up, judge
from chaos.plan import Plan
from postgres import Server

MOST_RUNS = 8
"""Runs, once nothing is in the way any more, before the job must be done."""

ALLOWED = frozenset({0, 4, 5, 6, 7, -9})
"""How a run may end: done; device, rule, key or order refused; killed."""


def live(plan: Plan, server: Server | None, cluster: tuple[str, ...] = ()) -> str:
    """The plan's bureau has lived and nothing was wrong; a word about how it ended.

    Raises:
        Finding: something was; with all that happened.
    """
    house = House(plan, Path(tempfile.mkdtemp(prefix="chaos-")).resolve(), server, cluster)
    dice = random.Random(-plan.seed - 1)
    try:
        if plan.disk_kib:
            house.mount()
        for trouble in plan.troubles:
            befall(house, trouble, dice)
        house.mend()
        stopped = _finish(house)
        judge(house, stopped=stopped)
    except Exception as error:
        story = "\n  ".join([str(plan), *house.said, *house.complaints()[-3000:].splitlines()])
        raise Finding(f"{type(error).__name__}: {error}\n  {story}") from error
    else:
        return stopped or "done"
    finally:
        house.remove()


def _finish(house: House) -> str:
    """Every place's run has ended well, after the last of the others; or why the job goes no further."""
    for _ in range(MOST_RUNS):
        codes = []
        for place in house.places:
            house.begin(place)
            codes.append(house.end_of(place))
        if strange := set(codes) - ALLOWED:
            raise Finding(f"a run ended with {strange}")
        if house.plan.disk_kib and any(codes):
            house.enlarge()
        if house.plan.uses and any(codes) and is_used_up(house):
            return "a key is used up"
        if any(codes) or not is_closed(house):  # a row may have been sent back when the run was nearly over
            continue
        for place in house.places[:-1]:  # what the last has done, the others have to write down
            house.begin(place)
            if code := house.end_of(place):
                raise Finding(f"with nothing left to do a run ended with {code}")
        return ""
    raise Finding(f"{MOST_RUNS} runs with nothing in the way have not finished the job")
