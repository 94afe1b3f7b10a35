"""Published conversations with native cards, replayed byte for byte with the commands that stand in their heads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.doors import call

FOLDER = Path(__file__).parents[1] / "conversations" / "published"
TAPES = sorted(tape for tape in FOLDER.glob("*.apdu") if "# $ kaguan" in tape.read_text(encoding="utf-8"))


def doors(tape: Path, folder: Path) -> Iterator[list[str]]:
    """The command lines in the tape's head, with cards in this folder."""
    for line in re.findall(r"^# \$ kaguan (.*)$", tape.read_text(encoding="utf-8"), re.MULTILINE):
        words = [str(folder / word) if word.isupper() and word.isalpha() else word for word in shlex.split(line)]
        yield [str(tape) if word == tape.name else word for word in words]


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_the_card_answers_as_published(tape: Path, tmp_path: Path) -> None:
    lines = list(doors(tape, tmp_path))
    assert any(words[:2] == ["tape", "run"] for words in lines)
    for words in lines:
        ended = call(*words)
        assert ended.code == 0, f"{ended.complaint}\n" + "\n".join(ended.lines[-6:])
