"""docs/tapes.md shows what happens: its tapes are played by the commands it gives, with the output it prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from terminal.doors import call

DOCUMENT = Path(__file__).parents[2] / "docs" / "tapes.md"
BLOCKS = re.compile(r"^```(apdu|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "..."


def as_printed(words: list[str]) -> list[str]:
    """What a shell would show of this command."""
    ended = call(*words)
    return [*ended.lines, *(f"kaguan: {line}" for line in ended.complaint.splitlines())]


def fits(shown: list[str], expected: list[str]) -> bool:
    """Whether these lines are the expected ones, of which `...` is any number."""
    pattern = "".join(r"(?:.*\n)*?" if line == ANYTHING else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in shown)) is not None


def test_the_document_shows_what_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = 0
    for kind, text in BLOCKS.findall(DOCUMENT.read_text(encoding="utf-8")):
        if kind == "apdu":
            name = text.partition("\n")[0].removeprefix("# ")
            Path(name).write_text(text, encoding="utf-8")
            continue
        for command in text.split("$ kaguan ")[1:]:
            line, *expected = command.splitlines()
            shown = as_printed(shlex.split(line))
            assert fits(shown, expected), f"{line}\n" + "\n".join(shown)
            commands += 1
    assert commands >= 5


def test_every_variant_in_the_table_is_one(tmp_path: Path) -> None:
    table = DOCUMENT.read_text(encoding="utf-8").partition("## Where cards differ")[2]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    for profile, column in (("fmcos-blank", 1), ("pboc-purse", 2)):
        for row in rows:
            for variant in re.findall(r"`(\+[\w-]+)`", row[column]):
                ended = call("card", "new", "--profile", profile + variant, tmp_path / f"{profile}{variant}")
                assert ended.code == 0, ended.complaint


def test_what_is_printed_is_a_tape(tmp_path: Path) -> None:
    card = tmp_path / "a.card"
    assert call("card", "new", "--profile", "fmcos-blank", card).code == 0
    first = tmp_path / "first.apdu"
    first.write_text(".reset\n00A40000023F00\n0084000008\n00B0000000\n", encoding="utf-8")
    printed = call("tape", "run", first, "--card", card, "--random", "0102030405060708").lines
    second = tmp_path / "second.apdu"
    second.write_text("\n".join(printed), encoding="utf-8")
    again = call("tape", "run", second, "--card", card, "--random", "0102030405060708")
    assert again.code == 0, again.complaint
    assert [line.partition(" #")[0].rstrip() for line in again.lines] == [
        line.partition(" #")[0].rstrip() for line in printed
    ]
