"""Every package that is declared is pinned with hashes, and no pin says where packages come from."""

from __future__ import annotations

import re
import tomllib

import pytest

from house.tree import ROOT, name_of

PINS = sorted((ROOT / "constraints").glob("*.txt"))
NAME = re.compile(r"^[\w.-]+")


def names(requirements: list[str]) -> set[str]:
    """The packages' names, as an index spells them."""
    found = (NAME.match(line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", match.group()).lower() for match in found if match}


def declared() -> set[str]:
    """What a developer's environment must hold by pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    return names(
        project["project"]["dependencies"] + extras["cms"] + extras["dev"] + project["build-system"]["requires"]
    )


def test_what_is_declared_is_pinned():
    pinned = names((ROOT / "constraints" / "dev.txt").read_text(encoding="utf-8").splitlines())
    assert declared() - pinned == set(), "run scripts/pin"


@pytest.mark.parametrize("file", PINS, ids=name_of)
def test_pins_are_exact_and_hashed_and_name_no_index(file):
    text = re.sub(r"^ *#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    requirements = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert requirements
    assert [r for r in requirements if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", r)] == []
    assert "://" not in text
