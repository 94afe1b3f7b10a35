"""Schemathesis asks the API, served as in earnest, for all that it describes and forbids: nothing is found.

`bench/soak_api.py` asks for longer.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cms.web import PROGRAMS, machine, served

pytestmark = pytest.mark.slow

CARD = "990100001"
SECONDS, EXAMPLES = 12, 8


@pytest.mark.only_on("sqlite")
def test_whatever_a_teller_asks_the_answer_is_as_described(lasting_town, own_store, tmp_path):
    answers_are_as_described(lasting_town, own_store, tmp_path, operator="teller", seed=1)


@pytest.mark.only_on("postgresql")
def test_whatever_a_clerk_asks_the_answer_is_as_described(lasting_town, own_store, tmp_path):
    answers_are_as_described(lasting_town, own_store, tmp_path, operator="clerk", seed=2)


def answers_are_as_described(town, own_store, folder, *, operator, seed, seconds=SECONDS, examples=EXAMPLES):
    """Nothing is found by whoever asks as that operator, each operation in turn, for so long."""
    town.active_card(CARD)
    token = machine(town, operator).headers["Authorization"]
    with served(own_store, "--requests-a-minute", "1000000") as address:
        found = subprocess.run(
            [
                *(PROGRAMS / "schemathesis", "--config-file", Path(__file__).with_name("schemathesis.toml")),
                *("run", address, "--header", f"Authorization: {token}"),
                *("--seed", str(seed), "--max-examples", str(examples)),
                *("--request-timeout", "60", "--max-time", str(seconds)),
                *("--checks", "all", "--continue-on-failure", "--no-shrink"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
        )
    assert found.returncode == 0, found.stdout[-12_000:]
