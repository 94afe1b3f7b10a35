"""The project speaks of cards, not of the machine it was written on."""

from __future__ import annotations

import re

import pytest

from house.tree import name_of, texts

# Written in pieces, so that this file does not find itself.
REGISTRIES = "py" r"pi\.org|python" r"hosted\.org|npm" r"js\.org|proxy\.go" r"lang\.org|crates" r"\.io"
MACHINE = r"(?<![\w.)])/(?:wo" r"rk|ro" r"ot|tm" r"p/brief|ho" r"me/\w+)\b"
WORKPLACE = r"\b(?:cla" r"ude|anthro" r"pic|chat" r"gpt|sub" r"agent|language " r"model)"
STRANGE = re.compile(f"{REGISTRIES}|{MACHINE}|{WORKPLACE}", re.IGNORECASE)


def strange_words(text: str) -> list[str]:
    """Registry hosts, machine paths and workplace words in this text."""
    return STRANGE.findall(text)


def test_no_file_speaks_of_this_machine():
    assert {name_of(file): found for file, text in texts() if (found := strange_words(text))} == {}


@pytest.mark.parametrize(
    "text", ["see /wo" + "rk/main", "https://py" + "pi.org/simple", "cd /ro" + "ot", "/home/" + "me"]
)
def test_the_check_finds(text):
    assert strange_words(text)


@pytest.mark.parametrize("text", ["network/work", "workshop", "a/root.toml", "the root key"])
def test_the_check_leaves_alone(text):
    assert not strange_words(text)
