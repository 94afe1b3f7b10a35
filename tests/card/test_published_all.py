"""Every published exchange of tests/vectors is on a tape: its values stand there, to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from card.banks import PUBLISHED

VECTORS = Path(__file__).parents[1] / "vectors" / "crypto.json"

NO_CHIP_OF_OURS = ("gp-", "kcv-", "emv-", "visa2-", "sm2-", "sm3-", "sm4-")
"""Vectors of GlobalPlatform cards, of key check values and of bare algorithms: their context is no exchange of a chip
that these profiles describe; tests/vault judges by those that the vault knows."""

NOT_SAID = {
    "pboc-diversify-1": "a key derived from a key: no card says it",
    "pboc-debit-script-session-key": "a key derived from a key: no card says it",
    "own-diversify-3-levels": "a key derived from a key: no card says it",
    "own-sm4-diversify": "a key derived from a key: no card says it",
}
UNSAID_STEPS = ("session_key", "tac_key", "pin_mac_key")
"""Sums inside the chip, whose results never cross its contacts."""

UNCHALLENGED = {
    # Three commands of a manual that prints the cryptograms but no challenge: the first is on the tape as it is printed
    # and refused, all three cryptograms are there with the MAC of another challenge.
    "04DC010C14A5DFE4940B63DC35471ED8A8CD098843C95213A6": "04DC010C14A5DFE4940B63DC35471ED8A8CD098843",
    "842400010CF397B1FD0CD1747A8E0CB93B": "842400010CF397B1FD0CD1747A",
}


def vectors() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    return [entry for entry in entries if not entry["name"].startswith(NO_CHIP_OF_OURS)]


def on_tapes() -> str:
    """All that the tapes say, every line without gaps."""
    lines = (line for tape in PUBLISHED.glob("*.apdu") for line in tape.read_text(encoding="utf-8").splitlines())
    return "\n".join(re.sub(r"\s+|\[|\]|\(.*\)|//.*|#.*", "", line).upper() for line in lines)


def said(entry: dict[str, Any]) -> list[str]:
    """The values of this vector that cross the contacts."""
    whole = [value for value in _strings(entry["context"]) if re.fullmatch(r"[0-9A-F]{10,}", value)]
    results = [step["out"] for step in entry["steps"] if step["name"] not in UNSAID_STEPS]
    return [UNCHALLENGED.get(value, value) for value in whole if value not in _keys(entry)] + results


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [value] if isinstance(value, str) else []


def _keys(entry: dict[str, Any]) -> set[str]:
    context = entry["context"]
    return {context[name] for name in ("tac_key_from", "tac_key_full") if name in context}


@pytest.mark.parametrize("entry", vectors(), ids=lambda entry: entry["name"])
def test_a_published_vector_is_on_a_tape(entry: dict[str, Any]) -> None:
    if entry["name"] in NOT_SAID:
        return
    tapes = on_tapes()
    answered = {"0000000000000200112233442988AE5A9000": "0000000000000200112233442988AE5A"}
    for value in said(entry):
        assert answered.get(value, value) in tapes, value


def test_the_exceptions_are_vectors() -> None:
    assert {entry["name"] for entry in vectors()} >= NOT_SAID.keys()
