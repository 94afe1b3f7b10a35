"""The real `scriptor` and ours send the same commands and get the same answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from card.cards import SELECT_SSSE, funded
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.scripts import Dialect, Played, play_script, read_script
from outside.readers import Readers

pytestmark = [pytest.mark.usefixtures("inserted"), pytest.mark.slow]
EXAMPLES = Path(__file__).parents[2] / "examples" / "scripts"
SPACED = " ".join(re.findall("..", SELECT_SSSE))

QUIRKS = {
    "continued": f"{SELECT_SSSE[:10]}\\\n{SELECT_SSSE[10:]}\n00 C0 \\\n00 00 \\\n18\n",
    "reset-anywhere": f"{SELECT_SSSE}\nplease reset it\n00C0000018\n # reset too\n00B2080000\n",
    "exit-in-a-comment": f"{SELECT_SSSE}\n# no Exit here\n00200000\n",
    "comments": f"#\n#reset\n{SPACED}\n\n   \n# 00 84 00 00 08\n00200000\n",
    "unfinished": f"{SELECT_SSSE}\n00 20 \\\n",
    "reset-within": "00 20 \\\nreset\n00 00\n",
    "wrong": f"{SELECT_SSSE}7F\n0020000003000000\n00200000\n00A4000002FFFF\n",
}


def packed(text: str) -> str:
    return "".join(text.split()).upper()


def told(output: str) -> list[tuple[str, str]]:
    """The commands and answers that scriptor printed."""
    pairs = re.findall(r"^> (.*)\n< (?:OK: ([0-9A-F ]+)|([0-9A-F \n]+?) : )", output, flags=re.MULTILINE)
    return [(packed(command), packed(atr or answer)) for command, atr, answer in pairs]


def ours(text: str, dialect: Dialect) -> list[tuple[str, str]]:
    """The commands and answers of our own player, in scriptor's words."""
    script = read_script(text, "s", dialect)
    playing = play_script(script, [EmulatedCard(funded(10_000))], [load_profile("ssc-v2")], lambda _seconds: None)
    played = [one for one in playing if isinstance(one, Played)]
    return [(str(one.command) or "RESET", str(one.response)) for one in played]


def masked(exchange: tuple[str, str]) -> tuple[str, str]:
    """With a PIN hidden as we hide it."""
    command, answer = exchange
    return (command[:10] + "X" * len(command[10:]) if command.startswith("0020") else command), answer


@pytest.mark.parametrize("name", QUIRKS)
def test_both_understand_a_script_alike(run, readers: Readers, tmp_path: Path, name: str) -> None:
    file = tmp_path / "script.txt"
    file.write_text(QUIRKS[name])
    theirs = told(run("scriptor", "-r", readers.names[0], "-p", "T=0", str(file)))
    assert theirs
    assert [masked(exchange) for exchange in theirs] == ours(QUIRKS[name], Dialect.SCRIPTOR)


def test_the_example_runs_alike(run, readers: Readers) -> None:
    file = EXAMPLES / "identity.txt"
    theirs = told(run("scriptor", "-r", readers.names[0], "-p", "T=0", str(file)))
    assert [masked(exchange) for exchange in theirs] == ours(file.read_text(), Dialect.SCRIPTOR)


def test_what_apdutool_would_send_gets_the_same_answers(run, readers: Readers, tmp_path: Path) -> None:
    text = (EXAMPLES / "identity.scr").read_text().replace("0x00 0x84 0x00 0x00 0x00 0x00 0x00 0x08;", "")
    expected = ours(text, Dialect.APDUTOOL)
    file = tmp_path / "script.txt"
    file.write_text("".join(f"{command.replace('XXXXXXXX', '12345600')}\n" for command, _ in expected))
    theirs = told(run("scriptor", "-r", readers.names[0], "-p", "T=0", str(file)))
    assert [masked(exchange) for exchange in theirs] == expected
