"""PINs stay where they were typed: in no trace, no error and no log."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest

from card.cards import specimen
from card.modules import module
from kaguan.emulator.imagefile import save_image
from kaguan.opening import Places
from kaguan.terminal.ministry import CardName, MinistryTerminal
from kaguan.terminal.ministry.messages import reply
from terminal.office import INFO, PAYMENT, Typing, hsm

PIN, NEW = "739156", "864209"


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".apdu", ".pcap"])
def test_no_pin_is_traced_told_or_logged(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / f"trace{suffix}"
    told = []
    save_image(tmp_path / "user.card", specimen())
    save_image(tmp_path / "psam.card", module())
    with closing(Places(trace=file)) as places:
        card, psam = places.put_image(tmp_path / "user.card", 0), places.put_image(tmp_path / "psam.card", 1)
        first = MinistryTerminal(card, psam, Typing("123456", new=PIN))
        assert first.iChangePIN(1).number == 0
        terminal = MinistryTerminal(card, psam, Typing(PIN, new=NEW))
        told += [terminal.iVerifyPIN(1), terminal.iReadCard(1, 1, INFO, "DF04EF06|90|$")]
        told += [terminal.iDoDebit(1, INFO, PAYMENT), terminal.iReadDebitRecord(1)]
        told += [terminal.iReloadPIN(1, INFO), terminal.iVerifyPIN(1), terminal.iChangePIN(1)]
        told.append(reply(terminal, '{"function": "iVerifyPIN", "iType": 1}'))
        name = CardName("990100", "00815431008660200101000001")
        asked = terminal.iReloadPIN_HSM_Step1(1, INFO)
        protected = terminal.iReloadPIN_HSM_Step2(hsm().external(name, asked.out))
        assert protected.out.endswith(f"|{NEW}|")  # the module is to get it: the interface has it so
        told.append(terminal.iReloadPIN_HSM_Step3(hsm().command(name, protected.out)))
    assert told[0].number == 0
    written = file.read_bytes()
    assert len(written) > 1_000
    for pin in (PIN, NEW):
        assert pin.encode() not in written
        assert bytes.fromhex(pin) not in written
        assert pin not in str(told)
        assert pin not in caplog.text
