"""Captures as stock tshark decodes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from card.cards import PIN, SELECT_SSSE
from outside.programs import need
from terminal.doors import call, card_file


def test_tshark_names_commands_and_status_words(tmp_path: Path) -> None:
    capture = tmp_path / "t.pcap"
    sent = (SELECT_SSSE, "00C0000018", "00A4000002EF05", "00B2010400", f"0020000003{PIN}", "0084000003")
    assert call("apdu", "send", "--card", card_file(tmp_path), "--trace", capture, *sent).code == 0
    program = [need("tshark"), "-r", str(capture), "-T", "fields", "-e", "frame.protocols", "-e", "_ws.col.Info"]
    decoded = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    protocols, said = zip(*(line.split("\t") for line in decoded), strict=True)
    assert all(name.endswith("gsm_sim") for name in protocols)
    assert len(said) == len(sent)
    for heard, words in zip(
        said,
        ("SELECT Application 7378312e", "GET RESPONSE", "SELECT File ef05", "READ RECORD RecordNr=1", "VERIFY", ""),
        strict=True,
    ):
        assert words in heard
    assert "Response ready, Response length is 24" in said[0]
    assert "Wrong length" in said[-1]
    assert not any("Malformed" in line for line in said)
