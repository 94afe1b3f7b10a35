"""Load, the terminal's side."""

from __future__ import annotations

from datetime import datetime

import pytest

from card.cards import PROFILE
from card.purses import published
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.response import ResponseApdu
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.load import begin_load, credit_load
from kaguan.terminal.conversations.purse import select_medical
from kaguan.terminal.refusals import NotAuthorised, NotGenuine
from kaguan.terminal.script import converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyRef, Usage
from terminal.counter import TERMINAL, keys, new_card, ready_to_pay


class CardsOwnKeys(CardKeys):
    """Keys that are the card's already: published loads tell no master."""

    def ref(self, master_label: str) -> KeyRef:
        return KeyRef(master_label)


def keys_of(load_key: str) -> CardKeys:
    vault = SoftwareVault.empty(StoreKind.TEST)
    vault.import_components("DF04.DLK", Usage.LOAD, Algorithm.TDES, [Secret(bytes.fromhex(load_key))], None, levels=0)
    return CardsOwnKeys(vault, keys().profile, "990100", keys().atr)


def test_a_published_load_is_asked_for_byte_by_byte() -> None:
    sums = published("pboc-load-ed-1")
    owner = keys_of(sums["session_key"]["key"])
    beginning = begin_load(owner, 0x1000, bytes.fromhex("001122334455"))
    assert bytes(next(beginning)).hex().upper() == "805000010B010000100000112233445510"
    answer = bytes.fromhex("00000000" + "0000" + "0200" + "11223344" + sums["MAC1"]["out"] + "9000")
    with pytest.raises(StopIteration) as ended:
        beginning.send(ResponseApdu.parse(answer))
    credit = credit_load(owner, ended.value.value, datetime(2011, 12, 21, 21, 48, 22))
    sent: CommandApdu = next(credit)
    assert sent.header.hex() == "80520000"
    assert sent.data.hex().upper() == "20111221214822" + sums["MAC2"]["out"]


@pytest.mark.parametrize("place", range(4))
def test_a_card_with_another_load_key_is_not_genuine(place: int) -> None:
    sums = published("pboc-load-ed-1")
    mac = bytearray.fromhex(sums["MAC1"]["out"])
    mac[place] ^= 0x01
    beginning = begin_load(keys_of(sums["session_key"]["key"]), 0x1000, bytes.fromhex("001122334455"))
    next(beginning)
    with pytest.raises(NotGenuine, match="MAC1"):
        beginning.send(ResponseApdu.parse(bytes.fromhex("0000000000000200" + "11223344") + mac + b"\x90\x00"))


def test_a_load_needs_the_pin() -> None:
    card = new_card()
    converse(card, select_medical(PROFILE))
    with pytest.raises(NotAuthorised):
        converse(card, begin_load(keys(), 100, TERMINAL))
    converse(card, ready_to_pay())
    assert converse(card, begin_load(keys(), 100, TERMINAL)).balance_fen == 0
