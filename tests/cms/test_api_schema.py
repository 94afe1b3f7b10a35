"""Schemathesis asks the API, served as in earnest, for all that it describes and forbids: nothing is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from cms.web import machine

pytestmark = pytest.mark.slow

CARD = "990100001"
PROGRAMS = Path(sys.executable).parent
SECONDS = "60"


@contextmanager
def served(database: str, *options: str) -> Iterator[str]:
    """The API over the database, by the door; its address."""
    command = [PROGRAMS / "kaguan", "cms", "serve", "--db", database, "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as server:
        try:
            address = server.stdout.readline().strip()
            requests.get(address, timeout=120)  # the description is worked out once, for whoever asks first
            yield address
        finally:
            server.terminate()


@pytest.mark.parametrize(("operator", "seed"), [("teller", "1"), ("clerk", "2")])
def test_whatever_is_asked_the_answer_is_as_described(lasting_town, own_store, tmp_path, operator, seed):
    lasting_town.active_card(CARD)
    token = machine(lasting_town, operator).headers["Authorization"]
    with served(own_store, "--requests-a-minute", "1000000") as address:
        found = subprocess.run(
            [
                *(PROGRAMS / "schemathesis", "--config-file", Path(__file__).with_name("schemathesis.toml")),
                *("run", address, "--header", f"Authorization: {token}", "--seed", seed, "--max-examples", "15"),
                *("--request-timeout", "60", "--max-time", SECONDS),
                *("--checks", "all", "--continue-on-failure", "--no-shrink"),
            ],
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
    assert found.returncode == 0, found.stdout[-12_000:]
