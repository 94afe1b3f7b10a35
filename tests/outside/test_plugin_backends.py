"""The pytest plugin with cards behind a real PC/SC service, in runs of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from card.cards import specimen
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.pcsc import wait_for_card, wait_for_removal
from outside.conftest import NOTICING_SECONDS
from outside.programs import need
from outside.readers import Readers, environment

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "terminal_tests"

A_PROGRAM = """
import subprocess

SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"

def opensc_tool(*words):
    return subprocess.run(["opensc-tool", *words], capture_output=True, text=True, check=True, timeout=30).stdout

def test_the_program_sees_the_card_come_and_go(reader, card_of_mine):
    assert "No" in opensc_tool("--list-readers").splitlines()[2].split()
    reader.insert(card_of_mine)
    assert "Yes" in opensc_tool("--list-readers").splitlines()[2].split()
    said = opensc_tool("--reader", reader.name, "-s", SELECT, "-s", "0020000003654321")
    assert "SW1=0x63, SW2=0xC2" in said
    link = reader.connect()
    assert link.atr == card_of_mine.atr
    link.close()
    reader.remove()
    assert "No" in opensc_tool("--list-readers").splitlines()[2].split()

def test_it_finds_the_try_spent(reader, card_of_mine):
    reader.insert(card_of_mine)
    said = opensc_tool("--reader", reader.name, "-s", SELECT, "-s", "00200000")
    assert "SW1=0x63, SW2=0xC2" in said
"""

ITS_CARD = """
import pytest
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.personalization.specimen import specimen_card

@pytest.fixture(scope="session")
def card_of_mine():
    return EmulatedCard(specimen_card(load_profile("ssc-v2")).image)
"""

AT_A_REAL_READER = """
import pytest
from kaguan.testing.card import NotEmulated

def test_the_card_in_the_reader(card):
    assert card.send("00A404000F7378312E73682EC9E7BBE1B1A3D5CF").sw.ok
    assert card.send("0084000008").sw == 0x9000
    assert any("SELECT SSSE" in line for line in card.trace())
    with pytest.raises(NotEmulated):
        card.snapshot()
"""


def last_line(readers: Readers, folder: Path, *words: str) -> str:
    """The last line of pytest, which must have ended well."""
    program = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider", *words]
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    ended = subprocess.run(
        program, cwd=folder, env=outer | {"PCSCLITE_CSOCK_NAME": environment(readers)["PCSCLITE_CSOCK_NAME"]},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.splitlines()[-1]


@pytest.fixture
def vpcd(readers: Readers) -> Iterator[list[str]]:
    """The words that put cards into the first reader."""
    yield ["--card-backend=vpcd", f"--card-reader={readers.names[0]}", f"--card-port={readers.ports[0]}"]
    assert wait_for_removal(readers.names[0], timeout_seconds=NOTICING_SECONDS)


def test_the_example_passes_behind_pcscd_as_it_does_without(readers: Readers, vpcd: list[str]) -> None:
    assert "5 passed" in last_line(readers, EXAMPLE, *vpcd)


def test_a_program_under_test_sees_the_reader_fixtures_card(readers: Readers, vpcd: list[str], tmp_path: Path) -> None:
    need("opensc-tool")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(ITS_CARD)
    (tmp_path / "test_program.py").write_text(A_PROGRAM)
    assert "2 passed" in last_line(readers, tmp_path, *vpcd)


def test_the_card_that_lies_in_a_reader(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_card.py").write_text(AT_A_REAL_READER)
    with InsertedCard(EmulatedCard(specimen()), port=readers.ports[0]):
        assert wait_for_card(readers.names[0], timeout_seconds=NOTICING_SECONDS)
        words = ["--card-backend=pcsc", f"--card-reader={readers.names[0]}"]
        assert "1 passed" in last_line(readers, tmp_path, *words)
    assert wait_for_removal(readers.names[0], timeout_seconds=NOTICING_SECONDS)
