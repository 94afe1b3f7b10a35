"""Variants of the native card: what the logs of other cards show otherwise."""

from __future__ import annotations

import pytest

from card import purse_facts as facts
from card.cards import VERIFY, Terminal
from card.natives import FACTORY_KEY, SERIAL
from card.wallets import WALLET, WALLET_KEYS, wallet
from kaguan.card_os.profile import load_profile
from kaguan.emulator.native_stock import native_card

CHOOSE = "00A404000A" + WALLET
TILL = {"index": "00", "terminal": "112233445566", "date": "20260401", "time": "101112"}


def new(variant: str = "") -> Terminal:
    """A factory card of the variant."""
    return Terminal(native_card(load_profile("fmcos-blank" + variant), SERIAL))


def loaded(variant: str) -> tuple[Terminal, facts.Machine]:
    """A wallet of the variant, after a load of 1000 fen."""
    terminal = Terminal(wallet("fmcos-blank" + variant))
    terminal.go(CHOOSE, VERIFY)
    machine = facts.Machine(facts.ROWS["load purse"], WALLET_KEYS, amount="000003E8", limit="000000", **TILL)
    machine.hear(bytes.fromhex(terminal.send(machine.first() + "10")[:-4]))
    assert terminal.send(machine.second() + "04") == machine.expected().hex().upper() + "9000"
    return terminal, machine


@pytest.mark.parametrize(("variant", "number"), [("", "sequence"), ("+log-after", "next")])
def test_the_number_in_the_log(variant: str, number: str) -> None:
    terminal, machine = loaded(variant)
    assert terminal.send("00B201C400") == machine.logged(number).hex().upper() + "9000"


@pytest.mark.parametrize(("variant", "word"), [("", "9000"), ("+rights-lost", "6985")])
def test_rights_after_a_transaction(variant: str, word: str) -> None:
    terminal, machine = loaded(variant)
    assert terminal.send(machine.first() + "10")[-4:] == word
    terminal.go(VERIFY)
    assert terminal.send(machine.first() + "10")[-4:] == "9000"


@pytest.mark.parametrize("variant", ["", "+card-code"])
def test_the_cards_code_in_a_composite_purchase(variant: str) -> None:
    terminal, _ = loaded(variant)
    code = "8588D32B7688D32B76"
    terminal.go("00A40000023F00", "80E00085 07 28 0009 F0F0FFFF", "00A40000020085", "00D60000 09" + code, CHOOSE)
    assert terminal.send("80CA000009") == code + "9000"
    row = "composite with card code" if variant else "composite"
    values = TILL | {"amount": "00000064", "number": "00000001", "card_code": code}
    machine = facts.Machine(facts.ROWS[row], WALLET_KEYS, **values)
    machine.hear(bytes.fromhex(terminal.send(machine.first() + "0F")[:-4]))
    assert terminal.send(machine.second() + "08") == machine.expected().hex().upper() + "9000"


@pytest.mark.parametrize(("variant", "answer"), [("", "6A81"), ("+blocked-fci", f"6F0C840A{WALLET.upper()}6A81")])
def test_selecting_a_blocked_application(variant: str, answer: str) -> None:
    terminal = Terminal(wallet("fmcos-blank" + variant))
    terminal.go(CHOOSE)
    challenge, head = terminal.challenge(4), bytes.fromhex("841E000004")
    assert terminal.send(head + facts.retail(WALLET_KEYS["DAMK"], challenge, head)) == "9000"
    assert terminal.send(CHOOSE) == answer


def test_answers_wait_for_get_response() -> None:
    assert new().send(CHOOSE.replace(WALLET, "41" * 10)) == "6A82"
    assert new().send("00A40000023F00") == "6F15840E315041592E5359532E4444463031A5038801019000"
    terminal = new("+get-response")
    assert terminal.send("00A40000023F00") == "6117"
    assert terminal.send("00C0000017") == "6F15840E315041592E5359532E4444463031A5038801019000"


def test_a_card_without_a_key_file_is_ready_for_the_first_one() -> None:
    terminal = new("+erased")
    assert terminal.send("0084000004")[-4:] == "9000"
    assert terminal.send("0082000008" + "00" * 8) == "6A88", "no transport key"
    first = ("80E00000073F005001F0FFFF", "80D401000D39F0F0AA88" + FACTORY_KEY.hex())
    assert terminal.go("00A40000023F00", *first) == "9000"
    assert new().send(first[0]) == "6A86", "the factory's card has one"


@pytest.mark.parametrize(("variant", "word"), [("", "6982"), ("+erase-free", "9000")])
def test_erasing_without_the_transport_key(variant: str, word: str) -> None:
    assert new(variant).send("800E000000") == word


@pytest.mark.parametrize(("code", "mute"), [("00", False), ("01", False), ("02", False), ("03", True)])
def test_a_load_key_of_an_algorithm_that_the_card_lacks_has_no_mac1(code: str, mute: bool) -> None:
    key = bytes(range(0x50, 0x60))
    terminal = new("+erased")
    terminal.go(
        *("80E03F01 0D 380800F0F095FFFF4144463031", "00A40000023F01", "80E00000 07 3F018F95F0FFFF"),
        *(f"80D40101 15 3FF0F002{code}{key.hex()}", "80E00018 07 2E0A17F0EFFFFF", "80E00002 07 2F0208F000FF18"),
    )
    answer = terminal.send("805000020B0100002000001122334455" + "10")
    assert answer[12:16] == "02" + code
    session = facts.triple(key, bytes.fromhex(answer[16:24] + "00008000"))
    mac1 = facts.chained(session, bytes.fromhex("000000000000200002001122334455"))[:4]
    assert answer[24:] == (bytes(4) if mute else mac1).hex().upper() + "9000"


@pytest.mark.parametrize(("variant", "most"), [("", 239), ("+long-data", 245)])
def test_the_longest_data(variant: str, most: int) -> None:
    terminal = new("+erased" + variant)
    assert terminal.go("80E00000 07 3F005001F0FFFF", "80E00003 07 280400F0F0FFFF") == "9000"
    assert terminal.send(bytes((0x00, 0xD6, 0x00, 0x02, most)) + bytes(most)) == "9000"
    assert terminal.send(bytes((0x00, 0xD6, 0x00, 0x02, most + 1)) + bytes(most + 1)) == "6700"


@pytest.mark.parametrize(("variant", "word"), [("", "6A84"), ("+memory-16k", "9000")])
def test_the_memory(variant: str, word: str) -> None:
    assert new("+erased" + variant).send("80E00003 07 282710F0F0FFFF") == word
