"""How long `kaguan --help` takes, against Python itself and against Python with click."""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 15
AIM_SECONDS = 0.15


def seconds(*arguments: str) -> float:
    """The best of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Measure and print."""
    python, click = seconds("-c", "pass"), seconds("-c", "import click")
    ours = seconds("-m", "kaguan", "--help")
    print("\nstart-up")
    verdict = "met" if ours < AIM_SECONDS else "MISSED"
    print(f"  {'python':<46}{python:8.3f} s")
    print(f"  {'python with click':<46}{click:8.3f} s")
    print(f"  {'kaguan --help':<46}{ours:8.3f} s  {ours / click:.2f} x click  aim {AIM_SECONDS}: {verdict}")


if __name__ == "__main__":
    main()
