"""The web API under Schemathesis for as long as you like: `soak_api.py [--seeds N] [--start S] [--seconds N]`.

A seed is two towns: in the one the teller, in the other the clerk asks for all that the description says and forbids.
What is found is printed with its seed; the program then ends with 1.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HOME = Path(__file__).parents[1]
sys.path[0] = str(HOME / "tests")  # in place of bench, whose cms.py would hide the package of that name

from kaguan.cms.store import open_store  # noqa: E402

SEEDS, SECONDS, EXAMPLES = 3, 60, 100
OPERATORS = ("teller", "clerk")


def found_nothing(seed: int, operator: str, seconds: int) -> bool:
    """Whether every answer to the operator was as described; what was not is printed."""
    with TemporaryDirectory(prefix="soak-api-") as folder:
        store = str(Path(folder) / "books.sqlite")
        open_store(store)
        from cms.test_api_schema import answers_are_as_described
        from cms.town import found_town

        try:
            answers_are_as_described(
                found_town(), store, folder, operator=operator, seed=seed, seconds=seconds, examples=EXAMPLES
            )
        except AssertionError as finding:
            print(f"seed {seed}, {operator}: FINDING\n{finding}", flush=True)
            return False
    return True


def main() -> int:
    """0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each of the two asks")
    asked = parser.parse_args()
    os.environ["KAGUAN_SECRET_KEY"] = "a key that lasts"
    seeds = range(asked.start, asked.start + asked.seeds)
    findings = sum(not found_nothing(seed, who, asked.seconds) for seed in seeds for who in OPERATORS)
    print(f"soak_api: {asked.seeds} seeds, {asked.seconds} s for each of {len(OPERATORS)} who ask: {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
