"""Programs that know nothing of us use our card through a real PC/SC service."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.cards import PIN_TRIES, SELECT_SSSE, SSSE_NAME, specimen
from outside.readers import Readers

pytestmark = [pytest.mark.usefixtures("inserted"), pytest.mark.slow]
FCI = f"6F16840F{SSSE_NAME}A50388011E"


def packed(text: str) -> str:
    """The text without spaces and colons, in upper case."""
    return text.translate(str.maketrans("", "", " :\n")).upper()


def test_opensc_tool_lists_the_reader_and_its_card(run, readers: Readers) -> None:
    rows = [line.split(maxsplit=2) for line in run("opensc-tool", "--list-readers").splitlines()]
    assert ["0", "Yes", readers.names[0]] in rows
    assert ["1", "No", readers.names[1]] in rows


def test_opensc_tool_reads_the_atr(run) -> None:
    assert packed(run("opensc-tool", "--reader", "0", "--atr")) == specimen().atr.hex().upper()


def test_opensc_tool_sends_apdus(run) -> None:
    told = packed(run("opensc-tool", "--reader", "0", "-s", SELECT_SSSE, "-s", "00A4000002EF05", "-s", "00B207000B"))
    assert "RECEIVED(SW1=0X90,SW2=0X00)" in told
    assert b"A00000011".hex().upper() in told


def test_opensc_tool_tries_every_card_it_knows_and_changes_nothing(run, card) -> None:
    before = card.image
    run("opensc-tool", "--reader", "0", "--name")
    assert card.image == before


def test_opensc_tool_reads_the_serial_number_from_the_atr(run) -> None:
    """Its own --serial asks in the words of cards that it has a driver for; ours say it in their historical bytes."""
    assert packed(run("opensc-tool", "--reader", "0", "--atr")).endswith("200101000001")


def test_opensc_tool_asks_for_a_serial_number_in_vain_and_changes_nothing(run, card) -> None:
    before = card.image
    assert run("opensc-tool", "--reader", "0", "--serial") == ""
    assert card.image == before


def test_scriptor_runs_a_script(run, readers: Readers, tmp_path: Path) -> None:
    script = tmp_path / "select.txt"
    script.write_text(f"reset\n{SELECT_SSSE}\n00 C0 00 00 18\n00 20 00 00\nexit\n")
    told = packed(run("scriptor", "-r", readers.names[0], "-p", "T=0", str(script)))
    assert "<6118" in told
    assert f"<{FCI}9000" in told
    assert f"<63C{PIN_TRIES:X}" in told


def test_pcsc_scan_sees_the_card(run, readers: Readers) -> None:
    told = run("pcsc_scan", "-c", "-t", "2")
    assert readers.names[0] in told
    assert "Card inserted" in told
    assert specimen().atr.hex(" ").upper() in told
