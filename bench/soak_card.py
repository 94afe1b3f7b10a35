"""A million commands at every kind of card, each answer judged: `soak_card.py [COMMANDS] [--seed N] [--life N]`.

Cards of every profile and variant live among terminals that mean well, err, or mean ill (`tests/properties/life.py`),
one process a core. Nothing is left to chance: a seed and the number of a life say all that happens in it. Where a law
is broken, the card and the tape are left in out/soak, and the program ends with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path
from typing import NamedTuple

HOME = Path(__file__).parents[1]
sys.path[0] = str(HOME / "tests")  # in place of bench, whose card.py would hide the package of that name

from kaguan.emulator.imagefile import save_image  # noqa: E402
from properties.judge import Finding  # noqa: E402
from properties.life import Life  # noqa: E402

SEED = 20_260_101
COMMANDS = 1_000_000
LIVES_AT_ONCE = 40
MOST_FINDINGS = 10
LEFT = HOME / "out" / "soak"


class Tally(NamedTuple):
    """What some lives came to. `findings` are the laws that were broken, each with the way to see it again."""

    lives: int = 0
    commands: int = 0
    done: int = 0
    tears: int = 0
    findings: tuple[str, ...] = ()

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(one + more for one, more in zip(self, other, strict=True)))


def lived(seed: int, number: int) -> Tally:
    """One life, judged; what broke a law in it is left in out/soak."""
    life = Life.of(seed, number)
    findings: tuple[str, ...] = ()
    try:
        life.live()
    except Finding as finding:
        findings = (
            f"{life.kind}: {finding}\n  tape {_left(life, seed, number)}, again with --seed {seed} --life {number}",
        )
    judge = life.judge
    return Tally(1, judge.count, judge.done, judge.tears, findings)


def _left(life: Life, seed: int, number: int) -> Path:
    """The folder that holds the card as it was born, its random numbers, and the tape of its life."""
    folder = LEFT / f"{seed}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    save_image(folder / "card", life.judge.first)
    random = ",".join(dealt.hex() for dealt in life.judge.dealt)
    lines = (f"# {life.kind}", f"# random: {random}", *life.judge.told)
    (folder / "life.apdu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def several(seed: int, numbers: range) -> Tally:
    """The lives with these numbers."""
    tally = Tally()
    for number in numbers:
        tally = tally.plus(lived(seed, number))
    return tally


def soaked(seed: int, commands: int) -> Iterator[Tally]:
    """The tally as it grows, until so many commands are judged or enough laws are broken."""
    workers = os.cpu_count() or 1
    tally = Tally()
    with ProcessPoolExecutor(workers) as pool:
        for first in count(step=LIVES_AT_ONCE * workers):
            starts = range(first, first + LIVES_AT_ONCE * workers, LIVES_AT_ONCE)
            work = [pool.submit(several, seed, range(start, start + LIVES_AT_ONCE)) for start in starts]
            for done in work:
                tally = tally.plus(done.result())
            yield tally
            if tally.commands >= commands or len(tally.findings) >= MOST_FINDINGS:
                return


def main() -> int:
    """0 when every law held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("commands", nargs="?", type=int, default=COMMANDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--life", type=int, help="this life alone")
    asked = parser.parse_args()
    started = time.perf_counter()
    tally = Tally()
    if asked.life is not None:
        tally = lived(asked.seed, asked.life)
    else:
        for tally in soaked(asked.seed, asked.commands):
            rate = tally.commands / (time.perf_counter() - started)
            print(f"{tally.commands:>11,} commands, {rate:,.0f}/s, {len(tally.findings)} findings", flush=True)
    for finding in tally.findings:
        print(finding)
    seconds = time.perf_counter() - started
    print(
        f"soak_card: {tally.commands:,} commands in {tally.lives:,} lives, {tally.done:,} of them done, "
        f"{tally.tears:,} tears, seed {asked.seed}, {seconds:.0f} s: {len(tally.findings)} laws broken"
    )
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
