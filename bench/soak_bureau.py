"""Bureaus by the hundred in which everything goes wrong that can: `soak_bureau.py [--seeds N] [--start S]`.

A seed says all of it: the order, the database, the stations, and what happens to them when (`tests/chaos`). Programs
are killed, frozen and started twice, servers stop, disks fill up, clocks jump, keys run out, orders change, people
change their minds; then the same command is given until it ends, and what is left is judged. Each finding is printed
with its seed, with which it happens again, as far as the machine keeps time; the program then ends with 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

HOME = Path(__file__).parents[1]
sys.path[0] = str(HOME / "tests")  # in place of bench, whose card.py would hide the package of that name

from chaos.bureau import Finding  # noqa: E402
from chaos.life import live  # noqa: E402
from chaos.plan import Able, plan_of  # noqa: E402
from postgres import server  # noqa: E402

SEEDS = 40
MOST_FINDINGS = 10


def cluster_in(stack: ExitStack) -> tuple[str, ...]:
    """A cluster that lives as long as the stack, as arguments for a run."""
    folder = stack.enter_context(TemporaryDirectory(prefix="soak-engine-"))
    program = [sys.executable, "-m", "kaguan", "perso", "engine"]
    up = [*program, "up", "--folder", folder, "--workers", "2", "--port", "0"]
    said = subprocess.run(up, check=True, capture_output=True, text=True, timeout=120).stdout
    stack.callback(subprocess.run, [*program, "down", "--folder", folder], check=True, capture_output=True)
    return "--engine", said.split()[0], "--folder", folder


def main() -> int:
    """0 when every law held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--no-cluster", action="store_true", help="without Dask")
    asked = parser.parse_args()
    able = Able(server=True, disk=os.geteuid() == 0, clock=bool(shutil.which("cc")), cluster=not asked.no_cluster)
    findings, started = 0, time.perf_counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and nothing is left of the bureau under way
    with ExitStack() as stack:
        cluster = () if asked.no_cluster else cluster_in(stack)
        for seed in range(asked.start, asked.start + asked.seeds):
            plan, began = plan_of(seed, able), time.perf_counter()
            try:
                ended = live(plan, server(durable=True), cluster)
            except Finding as finding:
                findings += 1
                ended = f"FINDING\n  {finding}\n  again with --start {seed} --seeds 1"
            print(f"{plan}: {ended} ({time.perf_counter() - began:.0f} s)", flush=True)
            if findings >= MOST_FINDINGS:
                break
    seconds = time.perf_counter() - started
    print(f"soak_bureau: seeds {asked.start} to {seed}, {seconds:.0f} s: {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
