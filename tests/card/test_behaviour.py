"""Where real cards differ a site chooses, and the chip does as it is told."""

from __future__ import annotations

import pytest

from card.cards import (
    DF04,
    PIN_ADDRESS,
    SELECT_DF04,
    SELECT_SSSE,
    SSSE,
    VERIFY,
    a_key,
    funded,
    given,
    specimen,
    with_key,
)
from card.oracle import tdes
from card.purses import debit, initialize_purchase
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.dispatch import execute
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile.model import Behaviour, BlockedSelect, LogSequence
from kaguan.card_os.session import Session
from kaguan.card_os.writes import apply
from kaguan.vault.messaging import Scheme
from kaguan.vault.vault import Usage

LOCK_KEY = a_key(Usage.EXTERNAL_AUTHENTICATION, 0x05, bytes(range(16)))
PUK = a_key(Usage.EXTERNAL_AUTHENTICATION, 0x06, bytes(range(16)))


class Bare:
    """The chip's pure functions alone, with these settings."""

    def __init__(self, image: CardImage, behaviour: Behaviour, *random: str) -> None:
        self.image = image
        self._session = Session()
        self._chip = Chip(given(*random), behaviour)

    def send(self, command: str) -> str:
        outcome = execute(self.image, self._session, CommandApdu.parse(bytes.fromhex(command)), self._chip)
        for group in outcome.groups:
            self.image = apply(self.image, group)
        self._session = outcome.session
        return f"{outcome.data.hex().upper()}{outcome.sw:04X}"

    def authenticate(self, reference: int) -> None:
        """The right of a key 000102..0F, with the challenge 00.."""
        assert self.send("0084000008") == "00" * 8 + "9000"
        cryptogram = tdes(tdes(bytes(range(16)), bytes(8)), bytes(8))
        assert self.send(f"008200{reference:02X}10{cryptogram.hex()}{'00' * 8}") == "9000"


def test_messaging_as_the_purse_standard_has_it() -> None:
    """A 4-byte challenge is the MAC's initial value, and the key itself works; two published commands."""
    stk = a_key(Usage.MESSAGING, 0x02, bytes.fromhex("3738393A3B3C3D3E3F40414243444546"))
    image = with_key(with_key(specimen(), SSSE, stk), SSSE, PUK)
    blocked = image.pins[PIN_ADDRESS]._replace(value=bytes.fromhex("999999"), tries_left=0)
    chip = Bare(image._replace(pins={PIN_ADDRESS: blocked}), Behaviour(messaging=Scheme.PBOC), "00" * 8, "55667788")
    chip.send(SELECT_SSSE)
    chip.authenticate(0x06)
    assert chip.send("0084000004") == "556677889000"
    assert chip.send("842400010C62FBDBA088572591C143C7E9") == "9000"
    assert chip.send(VERIFY) == "9000"


def test_card_block_as_the_purse_standard_has_it() -> None:
    stk = a_key(Usage.MESSAGING, 0x02, bytes.fromhex("363738393A3B3C3D3E3F404142434445"))
    image = with_key(with_key(specimen(), SSSE, stk), SSSE, LOCK_KEY)
    chip = Bare(image, Behaviour(messaging=Scheme.PBOC), "00" * 8, "01020304")
    chip.send(SELECT_SSSE)
    chip.authenticate(0x05)
    chip.send("0084000004")
    assert chip.send("8416000004FB4417DA") == "9000"
    assert chip.image.lifecycle is Lifecycle.TERMINATED


@pytest.mark.parametrize(("setting", "number"), [(LogSequence.BEFORE, "0000"), (LogSequence.AFTER, "0001")])
def test_the_number_in_the_log(setting: LogSequence, number: str) -> None:
    chip = Bare(funded(), Behaviour(log_sequence=setting), "11223344")
    for command in (SELECT_SSSE, VERIFY, SELECT_DF04):
        chip.send(command)
    assert chip.send(debit(chip.send(initialize_purchase(5)), 5)).endswith("9000")
    assert chip.send("00B201441C")[:4] == number
    assert chip.send("805A000502000008").endswith("9000"), "the proof is asked for with the number before, always"


@pytest.mark.parametrize(
    ("setting", "answer"),
    [(BlockedSelect.NOT_SUPPORTED, "6A81"), (BlockedSelect.DEACTIVATED, "6F088406D156000005036283")],
)
def test_selecting_a_blocked_application(setting: BlockedSelect, answer: str) -> None:
    image = specimen()
    medical = image.dedicated[DF04]._replace(lifecycle=Lifecycle.DEACTIVATED)
    chip = Bare(image._replace(dedicated={**image.dedicated, DF04: medical}), Behaviour(blocked_select=setting))
    chip.send(SELECT_SSSE)
    assert chip.send(SELECT_DF04 + "00") == answer
    assert chip.send("805C000104") == "6A81"


@pytest.mark.parametrize("word", [0x6985, 0x6F00])
def test_get_response_with_nothing_waiting(word: int) -> None:
    assert Bare(specimen(), Behaviour(nothing_waiting=word)).send("00C0000010") == f"{word:04X}"
