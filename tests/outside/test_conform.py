"""The conformance suite at a real PC/SC service."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.cards import specimen
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.pcsc import wait_for_card, wait_for_removal
from outside.conftest import NOTICING_SECONDS
from outside.readers import NAME, Readers
from terminal.doors import call
from terminal.spoiled_cards import SPOILED

pytestmark = pytest.mark.slow


def test_a_specimen_in_a_reader_passes(readers: Readers, tmp_path: Path) -> None:
    card = EmulatedCard(specimen())
    html = tmp_path / "report.html"
    with InsertedCard(card, port=readers.ports[0]):
        assert wait_for_card(readers.names[0], timeout_seconds=NOTICING_SECONDS)
        cautious = call("conform", "--profile", "ssc-v2", "--reader", readers.names[0])
        whole = call("conform", "--profile", "ssc-v2", "--reader", f"{NAME} 00 00", "--risk-tries", "--html", html)
    assert wait_for_removal(readers.names[0], timeout_seconds=NOTICING_SECONDS)
    assert cautious.code == 0, cautious
    assert any("--risk-tries" in line for line in cautious.lines)
    assert whole.code == 0, whole
    assert len(html.read_bytes()) > 100_000
    assert card.image == specimen()


def test_a_spoiled_card_in_a_reader_fails(readers: Readers) -> None:
    spoiled = next(one for one in SPOILED if one.name == "free update")
    with InsertedCard(EmulatedCard(spoiled.image), port=readers.ports[0]):
        assert wait_for_card(readers.names[0], timeout_seconds=NOTICING_SECONDS)
        ended = call("conform", "--reader", readers.names[0])
    assert wait_for_removal(readers.names[0], timeout_seconds=NOTICING_SECONDS)
    assert ended.code == 3
    failed = {line.split()[0] for line in ended.lines if line[0] != " " and line.split()[1] == "failed"}
    assert failed == spoiled.chapters


def test_an_empty_reader_ends_with_4(readers: Readers) -> None:
    assert call("conform", "--reader", readers.names[1]).code == 4
    assert call("conform", "--reader", "nobody").code == 4
