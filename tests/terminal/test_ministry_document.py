"""docs/ministry.md says what the code does."""

from __future__ import annotations

import re

from house.tree import ROOT
from kaguan.card_os.profile.model import Confidence
from kaguan.terminal.ministry import CALLS, default_settings
from kaguan.terminal.ministry.number import CONFIDENCE, MEANINGS

DOCUMENT = (ROOT / "docs" / "ministry.md").read_text(encoding="utf-8")
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in DOCUMENT.splitlines() if line.startswith("|")]


def rows(pattern: str) -> dict[str, list[str]]:
    """The cells of the rows whose first cell is like this."""
    cells = ([cell.strip() for cell in row] for row in ROWS)
    return {row[0].strip("`"): row[1:] for row in cells if re.fullmatch(pattern, row[0])}


def test_every_call_is_there_with_its_parameters() -> None:
    found = rows(r"`i\w+`")
    assert found.keys() == CALLS.keys()
    for name, (parameters, *_) in found.items():
        assert [word.split(",")[0] for word in re.findall(r"\b[ip][A-Z]\w+", parameters)] == [*CALLS[name].parameters]


def test_every_number_is_there() -> None:
    found = {int(number): (row[0], row[2]) for number, row in rows(r"-?\d+").items()}
    assert found == {
        number: (text, CONFIDENCE.get(number, Confidence.DRIVERS).value) for number, text in MEANINGS.items()
    }


def test_every_setting_is_there_with_its_evidence() -> None:
    names = default_settings().confidence
    found = {name: row[-1] for name, row in rows(r"`[a-z_.]+`").items()}
    assert found == {name: confidence.value for name, confidence in names.items()}
