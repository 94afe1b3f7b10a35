"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "terminal_tests"


class Outcome:
    """How a run of pytest ended."""

    def __init__(self, folder: Path, *words: str) -> None:
        program = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:cacheprovider", *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        ended = subprocess.run(
            program, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.code = ended.returncode
        self.text = ended.stdout + ended.stderr

    def counts(self, what: str) -> bool:
        return what in self.text.splitlines()[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def test_the_example_passes() -> None:
    outcome = Outcome(EXAMPLE)
    assert outcome.counts("5 passed"), outcome.text


def test_a_failure_shows_the_decoded_trace_without_the_pin(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "def test_it(card):\n"
        "    card.send('00A404000F7378312E73682EC9E7BBE1B1A3D5CF')\n"
        "    assert card.send(bytes((0, 0x20, 0, 0, 3, 0x13, 0x57, 0x91))).sw.ok\n"
    )
    outcome = Outcome(folder, "--tb=line")
    assert outcome.code == 1
    assert "what the card was told: card" in outcome.text
    assert "SELECT SSSE" in outcome.text
    assert "0020000003XXXXXX" in outcome.text
    assert "not verified, 2 tries left" in outcome.text
    assert "135791" not in outcome.text


def test_tapes_are_tests_and_fragments_are_not(folder: Path) -> None:
    (folder / "good.apdu").write_text(".include _select.apdu\n0084000008 [XX*] (9000)\n.card 1\n0084000004=\n")
    (folder / "_select.apdu").write_text("00A404000F7378312E73682EC9E7BBE1B1A3D5CF (61XX)\n")
    (folder / "bad.apdu").write_text("00A4000002EF99=\n")
    (folder / "wrong.apdu").write_text("00A4 what\n")
    outcome = Outcome(folder)
    assert outcome.counts("2 failed, 1 passed"), outcome.text
    assert "bad.apdu:1:" in outcome.text
    assert "6A82" in outcome.text
    assert "wrong.apdu:1:6" in outcome.text
    assert "Traceback" not in outcome.text


def test_tapes_call_the_functions_that_tape_run_has(folder: Path) -> None:
    (folder / "call.apdu").write_text(
        ".define LEFT 7278302D72672FC8\n"
        '00A404000F ${xor(LEFT, "0101010101010101")} E7BBE1B1A3D5CF (6A82)\n'
        '00A404000F ${xor(LEFT, "0100010301060102")} C9E7BBE1B1A3D5 (6A82)\n'
    )
    outcome = Outcome(folder)
    assert outcome.counts("1 passed"), outcome.text


def test_a_card_lives_as_long_as_its_scope(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "WRONG = '0020000003000001'\n"
        "SELECT = '00A404000F7378312E73682EC9E7BBE1B1A3D5CF'\n"
        "def tries(card):\n"
        "    card.send(SELECT)\n"
        "    return card.send(WRONG).sw.tries_left\n"
        "def test_one(card): assert tries(card) == 2\n"
        "def test_two(card): assert tries(card) == LEFT\n"
    )
    source = (folder / "test_it.py").read_text()
    for scope, left in (("function", 2), ("module", 1), ("session", 1)):
        (folder / "test_it.py").write_text(source.replace("LEFT", str(left)))
        outcome = Outcome(folder, f"--card-scope={scope}")
        assert outcome.counts("2 passed"), outcome.text
    (folder / "pytest.ini").write_text("[pytest]\ncard_scope = galaxy\n")
    assert "card_scope: 'galaxy' is none of function, module, session" in Outcome(folder).text


def test_snapshots_tell_what_changed(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "SELECT = '00A404000F7378312E73682EC9E7BBE1B1A3D5CF'\n"
        "def test_it(card):\n"
        "    before = card.snapshot()\n"
        "    card.send(SELECT)\n"
        "    card.send('0020000003000001')\n"
        "    assert card.changed_only('pins/SSSE/00')\n"
        "    assert not card.changed_only('DF04')\n"
        "    assert not card.changed_only()\n"
        "    card.restore(before)\n"
        "    assert card.changed_only()\n"
        "    card.send(SELECT)\n"
        "    card.send('0020000003000001')\n"
        "    assert card.changed_only('DF04/EF08')\n"
    )
    outcome = Outcome(folder)
    assert outcome.counts("1 failed")
    assert "pins/SSSE/00/tries_left: 3 -> 2; DF04/EF08: unchanged" in outcome.text


def test_fixtures_and_the_marker(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "from kaguan.apdu.errors import CardLost, NoCard\n"
        "@pytest.mark.card(profile='ssc-v3', random=['0102030405060708'], faults=['lose@GET CHALLENGE#2'])\n"
        "def test_marker(card):\n"
        "    assert card.profile.name == 'ssc-v3'\n"
        "    assert card.send('0084000008').data == bytes(range(1, 9))\n"
        "    with pytest.raises(CardLost): card.send('0084000008')\n"
        "    assert card.struck\n"
        "def test_repeatable(card): assert card.send('0084000008').data == test_repeatable.seen\n"
        "test_repeatable.seen = None\n"
        "def test_blank(blank_card): assert blank_card.image.lifecycle.name == 'CREATION'\n"
        "def test_module(psam, card): assert psam.image.profile == 'psam' and card.image.profile == 'ssc-v2'\n"
        "def test_reader(reader, card):\n"
        "    with pytest.raises(NoCard): reader.connect()\n"
        "    reader.insert(card)\n"
        "    assert reader.connect().transceive(bytes.fromhex('0084000008'))[-2:] == b'\\x90\\x00'\n"
        "    reader.remove()\n"
        "    with pytest.raises(NoCard): reader.connect()\n"
        "@pytest.mark.card(faults=['late:3600'])\n"
        "def test_time(card):\n"
        "    card.send('0084000008')\n"
        "    assert card.clock.seconds > 3600\n"
        "@pytest.mark.card('ssc-v1')\n"
        "def test_wrong_marker(card): pass\n"
    )
    outcome = Outcome(folder)
    assert "the marker card takes profile, image, faults and random, by name" in outcome.text
    assert outcome.counts("1 failed, 5 passed, 1 error"), outcome.text
    (first,) = (line for line in outcome.text.splitlines() if line.startswith("E ") and "== None" in line)
    (again,) = (line for line in Outcome(folder).text.splitlines() if line.startswith("E ") and "== None" in line)
    assert first == again


def test_runs_without_cards_load_nothing_of_the_emulator(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "import sys\ndef test_it(): assert not [name for name in sys.modules if name.startswith('kaguan.emulator')]\n"
    )
    assert Outcome(folder).counts("1 passed")
