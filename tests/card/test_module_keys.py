"""The keys that a security module lends, and what DESCRYPT does with them, judged by psec (JR/T 0025.9, LD/T 32.5)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import CARD_KEY
from card.modules import (
    CARD_FACTOR,
    CITY_FACTOR,
    DF01,
    PROVINCE_FACTOR,
    SELECT_MODULE,
    mac_of_blocks,
    module_terminal,
    with_module_key,
)
from card.oracle import mac, retail, tdes
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import ProfileError
from kaguan.card_os.image import key_address
from kaguan.card_os.profile.module import ModuleAddress, parse_module_rules
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

MASTER = bytes(range(16))
RANDOM = "1122334455667788"
LEVELS = {3: CARD_FACTOR + CITY_FACTOR + PROVINCE_FACTOR, 2: CARD_FACTOR + CITY_FACTOR, 1: CARD_FACTOR}


@pytest.mark.parametrize(("usage", "key"), [("67", "08"), ("48", "12"), ("47", "24"), ("28", "11"), ("27", "26")])
def test_a_process_key_is_the_cards(usage: str, key: str) -> None:
    """The published-shape exchange: usage, key, factors from the card upwards, the challenge."""
    factors = LEVELS[int(usage, 16) >> 5]
    card = module_terminal()
    assert card.send(f"BFDE{usage}{key}{len(factors + RANDOM) // 2:02X}{factors}{RANDOM}") == "9000"
    assert card.send("80FA0000080102030405060708") == "6108"
    assert card.send("00C0000008") == "9B9EDFBCB59637BF" + "9000"
    assert card.send("80FA000008" + "0102030405060708" + "08") == "9B9EDFBCB59637BF" + "9000"


def padded(message: bytes) -> bytes:
    """What a terminal sends: the module pads nothing."""
    return (message + b"\x80").ljust(len(message) // 8 * 8 + 8, b"\0")


@pytest.mark.parametrize("size", [0, 1, 7, 8, 20, 232])
def test_mac_alone_has_its_initial_value_in_front(size: int) -> None:
    """Under the process key as DES, under the card's key as two-key 3DES."""
    blocks = padded(bytes(range(size)))
    command = f"80FA0500{len(blocks) + 8:02X}{RANDOM}{blocks.hex()}04"
    card = module_terminal()
    card.send(f"BFDE481218{LEVELS[2]}{RANDOM}")
    session = tdes(CARD_KEY, bytes.fromhex(RANDOM))
    assert card.send(command) == mac_of_blocks(session, bytes.fromhex(RANDOM), blocks).hex().upper() + "9000"
    assert card.send(f"801A481210{LEVELS[2]}") == "9000"
    assert card.send(command) == mac_of_blocks(CARD_KEY, bytes.fromhex(RANDOM), blocks).hex().upper() + "9000"


@examples(st.binary(min_size=24, max_size=600), st.data())
def test_mac_in_parts_is_the_mac_alone(message: bytes, data: st.DataObject) -> None:
    blocks = padded(message)
    card = module_terminal()
    card.send(f"801A481210{LEVELS[2]}")
    mode, sent = 0x07, bytes.fromhex(RANDOM)
    while blocks:
        take = 8 * data.draw(st.integers(1, 30))
        part, blocks = blocks[:take], blocks[take:]
        mode = mode if blocks else mode & ~0x02
        answer = card.send(bytes(CommandApdu(0x80, 0xFA, mode, 0x00, (sent if mode & 4 else b"") + part, 4)))
        assert answer.endswith("9000")
        assert blocks == b"" or answer == "9000"
        mode = 0x03
    assert answer == retail(CARD_KEY, sent, message).hex().upper() + "9000"


def test_mac_without_an_initial_value_begins_with_zeros() -> None:
    card = module_terminal()
    card.send(f"BFDE481218{LEVELS[2]}{RANDOM}")
    session = tdes(CARD_KEY, bytes.fromhex(RANDOM))
    expected = mac(session, b"abc").hex().upper() + "9000"
    assert card.send(f"80FA010008{padded(b'abc').hex()}04") == expected
    assert card.send("80FA030008" + "00" * 8) == "6901"


def test_the_messaging_of_the_published_reload_is_made_by_the_module() -> None:
    """RELOAD PIN 123456 with the regression key: enciphered, then the MAC over header and cryptogram."""
    card = module_terminal()
    card.send(f"BFDE480918{LEVELS[2]}{RANDOM}")
    cryptogram = card.send("80FA000008" + "0312345680000000" + "08")[:16]
    card.send(f"BFDE480918{LEVELS[2]}{RANDOM}")
    code = card.send(f"80FA050018{'00' * 8}842400010C{cryptogram}800000" + "04")[:8]
    assert f"842400010C{cryptogram}{code}" == "842400010CD0D5F19C5D6C1F76AA867B2C"
    code = card.send(f"80FA050010{'00' * 8}8424000004800000" + "04")[:8]
    assert f"8424000004{code}" == "84240000044B14DB2D"


def test_a_lent_key_serves_the_commands_that_follow_at_once() -> None:
    for between in ("0084000004", "00B0960006", SELECT_MODULE, "00FF", "00C0000001"):
        card = module_terminal()
        card.send(f"BFDE481218{LEVELS[2]}{RANDOM}")
        assert card.send("80FA000008" + "00" * 8 + "08").endswith("9000")
        assert card.send("80FA000008" + "00" * 8 + "08").endswith("9000")
        card.send(between)
        assert card.send("80FA000008" + "00" * 8 + "08") == "6901"
    card.card.reset()
    card.send(SELECT_MODULE)
    assert card.send("80FA000008" + "00" * 8 + "08") == "6901"


def test_keys_are_lent_for_their_type_alone() -> None:
    card = module_terminal()
    card.send(f"BFDE671720{LEVELS[3]}{RANDOM}")
    card.send(f"BFDE470218{LEVELS[2]}{RANDOM}")
    card.send(f"BFDE472418{LEVELS[2]}{RANDOM}")
    assert card.send("80FA050010" + "00" * 16 + "04") == "6985", "a key that enciphers makes no MAC"
    maintenance = module_terminal(with_module_key(0x25, 0x01, CARD_KEY.hex()))
    assert maintenance.send(f"801A250108{CARD_FACTOR}") == "9000"
    assert maintenance.send("80FA000008" + "00" * 8 + "08") == "6985", "a key that makes MACs does not encipher"


@pytest.mark.parametrize("kind", [0x00, 0x01, 0x02])
def test_master_and_purchase_keys_are_never_lent(kind: int) -> None:
    """Otherwise a lent purchase key would sign a purchase whose number the module never spent."""
    usage = 0x20 | kind
    card = module_terminal(with_module_key(usage, 0x01, CARD_KEY.hex()))
    assert card.send(f"801A{usage:02X}0108{CARD_FACTOR}") == "6985"
    assert card.send(f"BFDE{usage:02X}0110{CARD_FACTOR}{RANDOM}") == "6985"


def test_lending_refuses_in_order() -> None:
    card = module_terminal()
    assert card.send("BFDE4299" + "00") == "6A88"
    assert card.send("BFDE2812" + "00") == "6A88", "the usage is part of the address"
    assert card.send("BFDE4200" + "00") == "6985"
    for command, body in (("BFDE", LEVELS[2]), ("BFDE", LEVELS[2] + RANDOM + "00"), ("801A", LEVELS[1])):
        assert card.send(f"{command}4812{len(body) // 2:02X}{body}") == "6700"
    single = with_module_key(0x28, 0x01, CARD_KEY[:8].hex())
    address = key_address(DF01, Usage.SECURITY_MODULE, 0x01)
    single = single._replace(
        keys={**single.keys, address: (single.keys[address][0]._replace(algorithm=Algorithm.DES),)}
    )
    assert module_terminal(single).send(f"801A280108{CARD_FACTOR}") == "6985"


def test_descrypt_refuses_in_order() -> None:
    card = module_terminal()
    for header in ("80FA0001", "80FA0200", "80FA0600", "80FA0800", "80FA8000"):
        assert card.send(header + "00") == "6A86"
    assert card.send("80FA0000" + "00") == "6901"
    for command in ("80FA000000", "80FA000007" + "00" * 7, "80FA050008" + "00" * 8):
        card.send(f"BFDE481218{LEVELS[2]}{RANDOM}")
        assert card.send(command) == "6700"
        assert card.send("80FA000008" + "00" * 8) == "6901", "a refusal ends the lending"


@pytest.mark.parametrize(("text", "address"), [("48/12", ModuleAddress(0x48, 0x12)), ("0A", ModuleAddress(None, 0x0A))])
def test_addresses(text: str, address: ModuleAddress) -> None:
    assert ModuleAddress.parse(text) == address


def test_a_city_holds_with_one_level_what_a_province_holds_with_two() -> None:
    assert list(ModuleAddress.parse("67/2E").candidates) == [(0x67, 3), (0x47, 2), (0x27, 1)]
    assert list(ModuleAddress.parse("48/12").candidates) == [(0x48, 2), (0x28, 1)]
    assert list(ModuleAddress.parse("28/11").candidates) == [(0x28, 1)]
    assert list(ModuleAddress.parse("0A").candidates) == [(0x67, 3), (0x48, 2), (0x47, 2), (0x28, 1), (0x27, 1)]


@pytest.mark.parametrize("text", ["", "48/", "/12", "4812", "48/12/00", "4X/12", "48-12"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="no address in a security module"):
        ModuleAddress.parse(text)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [({"lends": [7]}, "no setting 'lends'"), ({"enciphers": [2]}, "03 to 1F"), ({"authenticates": [32]}, "03 to 1F")],
)
def test_rules_that_cannot_be_are_refused(table: dict[str, list[int]], complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint):
        parse_module_rules(table)
