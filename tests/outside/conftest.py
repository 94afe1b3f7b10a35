"""Virtual readers for all tests of this folder, and cards to put into them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from card.cards import funded
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.readers.service import SOCKET_VARIABLE
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.pcsc import reader_names, wait_for_card, wait_for_removal
from outside.programs import need, need_pyscard
from outside.readers import Readers, environment, private_readers

NOTICING_SECONDS = 5
RUNNING_SECONDS = 30

Run = Callable[..., str]


@pytest.fixture(scope="session")
def readers() -> Iterator[Readers]:
    """Two empty virtual readers, which this process sees too: the service is where it has looked for one all along."""
    need("pcscd")
    need_pyscard()
    with private_readers(Path(os.environ[SOCKET_VARIABLE]).parent) as found:
        assert os.environ[SOCKET_VARIABLE] == str(found.socket)
        begun = time.monotonic()
        while reader_names() != list(found.names):
            assert time.monotonic() - begun < NOTICING_SECONDS, "the PC/SC service does not show its readers"
            time.sleep(0.01)
        yield found


@pytest.fixture
def card() -> EmulatedCard:
    """The specimen with 100 yuan in its wallet."""
    return EmulatedCard(funded(10_000))


@pytest.fixture
def inserted(readers: Readers, card: EmulatedCard) -> Iterator[InsertedCard]:
    """The card in the first reader; the reader is empty again afterwards."""
    with InsertedCard(card, port=readers.ports[0]) as inserted:
        assert wait_for_card(readers.names[0], timeout_seconds=NOTICING_SECONDS)
        yield inserted
    assert wait_for_removal(readers.names[0], timeout_seconds=NOTICING_SECONDS)


@pytest.fixture
def run(readers: Readers) -> Run:
    """Runs a program among these readers; what it printed."""

    def run(program: str, *words: str, typed: str = "") -> str:
        done = subprocess.run(
            [need(program), *words],
            input=typed,
            capture_output=True,
            check=False,
            text=True,
            timeout=RUNNING_SECONDS,
            env=environment(readers) | {"LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    return run
