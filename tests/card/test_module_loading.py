"""Keys brought to a security module with 84 D4, as one published exchange does it, and what they are good for then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from card.cards import WHEN, Terminal, counted, given, terminal, with_key
from card.modules import (
    CARD_FACTOR,
    CITY_FACTOR,
    DF01,
    MODULE_TERMINAL,
    SELECT_MODULE,
    amounts,
    descended,
    mac_of_blocks,
    module,
    module_command,
    module_terminal,
)
from card.oracle import mac, retail, tdes
from card.purses import WALLET, bank_card
from kaguan.card_os.image import CardImage, CardKey, key_address
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile.module import ModuleRules
from kaguan.emulator.imagecodec import decode_image, encode_image
from kaguan.vault.vault import Usage
from properties.laws import a_refusal_changes_nothing, a_tear_leaves_before_or_after
from properties.scenes import Scene

MASTER_KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
OTHER = bytes(range(0x50, 0x60))
VECTORS = Path(__file__).parents[1] / "vectors" / "crypto.json"


def loading(challenge: bytes, record: str, *, key: bytes = MASTER_KEY, header: str = "84D40000") -> bytes:
    """WRITE KEY with this record, by psec."""
    data = bytes.fromhex(record)
    packed = bytes((len(data),)) + data
    if len(packed) % 8:
        packed += b"\x80" + bytes(-(len(packed) + 1) % 8)
    cryptogram = tdes(key, packed)
    head = bytes.fromhex(header) + bytes((len(cryptogram) + 4,)) + cryptogram
    return head + retail(key, challenge.ljust(8, b"\0"), head)


def loaded(card: Terminal, record: str, *, key: bytes = MASTER_KEY) -> str:
    """The answer to it."""
    return card.send(loading(card.challenge(4), record, key=key))


def keys_of(image: CardImage, reference: int) -> dict[int, CardKey]:
    """The module's keys of this number, by their usage bytes."""
    return {key.version: key for key in image.keys.get(key_address(DF01, Usage.SECURITY_MODULE, reference), ())}


def test_the_published_exchange() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    cryptogram, code = next(one for one in vectors if one["name"] == "psam-load-key-84D4")["steps"]
    assert bytes.fromhex(cryptogram["key"]) == MASTER_KEY
    card = Terminal(module(), random=given(code["iv"][:8]))
    card.go(SELECT_MODULE)
    assert card.challenge(4).hex().upper() == code["iv"][:8]
    assert loading(bytes.fromhex(code["iv"]), cryptogram["data"]).hex().upper() == code["data"] + code["out"]
    assert card.send(code["data"] + code["out"]) == "9000"
    usage, version, value = (bytes.fromhex(cryptogram["data"][at:end]) for at, end in ((0, 2), (2, 4), (6, 38)))
    made = keys_of(card.card.image, version[0])[usage[0]]
    assert made.value == value
    assert decode_image(encode_image(card.card.image)) == card.card.image


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_a_purchase_with_a_key_that_was_brought(levels: int) -> None:
    """End to end: the user card's key is below the one brought, by psec; version 07 is what the card answers."""
    factors = [CITY_FACTOR, CARD_FACTOR][2 - levels :]
    key = descended(OTHER, *factors)
    card = module_terminal()
    assert loaded(card, f"{levels << 5 | 2:02X}0700{OTHER.hex()}") == "9000"
    image = bank_card(key.hex(), purse=WALLET, balance_fen=100)
    (address,) = (at for at, keys in image.keys.items() if keys[0].usage is Usage.PURCHASE)
    image = image._replace(keys={**image.keys, address: (image.keys[address][0]._replace(version=7),)})
    user = terminal(image, at="DF04")
    offer = user.send(f"805001020B01{amounts(30)}{MODULE_TERMINAL}0F")
    signature = card.send(
        module_command(offer, amounts(30), medical=False, kind="06", factors="".join(reversed(factors)) or " ").replace(
            " ", ""
        )
        if levels
        else bare(offer)
    )
    session = tdes(key, bytes.fromhex(offer[22:30] + offer[8:12] + signature[4:8]))
    assert (
        signature
        == signature[:8]
        + mac(session, bytes.fromhex(amounts(30) + "06" + MODULE_TERMINAL + WHEN)).hex().upper()
        + "9000"
    )
    codes = user.send(f"805401000F{signature[:8]}{WHEN}{signature[8:16]}08")
    assert codes.endswith("9000")
    assert card.send("8072000004" + codes[8:16]) == "9000"
    assert user.send("805C000204") == f"{70:08X}9000"


def bare(offer: str) -> str:
    """INITIALIZE SAM FOR PURCHASE without a factor: the module holds the card's own key."""
    return f"8070000014{offer[22:30]}{offer[8:12]}{amounts(30)}06{WHEN}{offer[18:22]}08"


def test_a_key_is_written_over_and_the_others_stay() -> None:
    card = module_terminal()
    before = card.card.image.keys
    assert loaded(card, "420000" + OTHER.hex()) == "9000"
    after = keys_of(card.card.image, 0x00)
    assert (after[0x42].value, after[0x00].value) == (OTHER, MASTER_KEY)
    assert {at: keys for at, keys in card.card.image.keys.items() if keys != before[at]}.keys() == {
        key_address(DF01, Usage.SECURITY_MODULE, 0x00)
    }


def test_the_master_key_is_replaced_under_itself() -> None:
    card = module_terminal()
    assert loaded(card, "000000" + OTHER.hex()) == "9000"
    assert loaded(card, "220100" + OTHER.hex()) == "6988"
    assert loaded(card, "220100" + OTHER.hex(), key=OTHER) == "9000"


def test_a_key_that_was_brought_is_lent_for_its_type() -> None:
    """Usage 27 enciphers, 26 makes MACs, 28 both; a single DES key has no level below it."""
    card = module_terminal()
    for usage in ("27", "26", "28"):
        assert loaded(card, f"{usage}3100{OTHER.hex()}") == "9000"
    key = descended(OTHER, CARD_FACTOR)
    enciphered, code = tdes(key, bytes(8)).hex().upper(), mac_of_blocks(key, bytes(8), bytes(8)).hex().upper()
    for usage, answers in (("27", (enciphered, "6985")), ("26", ("6985", code)), ("28", (enciphered, code))):
        for command, answer in zip(
            ("80FA000008" + "00" * 8 + "08", "80FA050010" + "00" * 16 + "04"), answers, strict=True
        ):
            assert card.send(f"801A{usage}3108{CARD_FACTOR}") == "9000"
            assert card.send(command) == (answer if answer == "6985" else answer + "9000")
    assert loaded(card, f"083201{OTHER[:8].hex()}") == "9000"
    assert card.send("801A083200") == "9000"
    assert card.send("80FA000008" + "00" * 8 + "08") == tdes(OTHER[:8], bytes(8)).hex().upper() + "9000"


def test_its_tries_are_the_profiles_to_say() -> None:
    card = module_terminal()
    card.card._chip = Chip(counted(), card.card._chip.behaviour._replace(module=ModuleRules(mac2_tries=5)))
    assert loaded(card, "420000" + OTHER.hex()) == "9000"
    assert keys_of(card.card.image, 0x00)[0x42].tries == 5


def test_a_module_that_counts_no_wrong_codes() -> None:
    card = module_terminal()
    card.card._chip = Chip(counted(), card.card._chip.behaviour._replace(module=ModuleRules(wrong_mac2_ends=False)))
    head = "A1B2C3D4" + "0007" + amounts(100) + "05" + WHEN + "0000" + CARD_FACTOR + CITY_FACTOR
    for _ in range(5):
        card.send(f"8070000024{head}08")
        before = card.card.image
        assert card.send("807200000400000000") == "9302"
        assert card.card.image == before
    signature = card.send(f"8070000024{head}08")
    session = tdes(
        descended(bytes.fromhex("9A0642B64207AD9D61FB15BD215817C7"), CITY_FACTOR, CARD_FACTOR),
        bytes.fromhex("A1B2C3D4" + "0007" + signature[4:8]),
    )
    assert card.send("8072000004" + mac(session, bytes.fromhex(amounts(100))).hex()) == "9000"


def test_write_key_refuses_in_order() -> None:
    card = module_terminal()
    assert card.send("84D4010000") == "6A86"
    assert card.send("84D4000100") == "6A86"
    without = module()._replace(keys={})
    assert module_terminal(without).send("84D4000000") == "6A88"
    assert card.send("84D4000004AABBCCDD") == "6984"
    card.challenge(4)
    assert card.send("84D4000003AABBCC") == "6987"
    assert loaded(card, "220100" + OTHER.hex(), key=OTHER) == "6988"
    before = card.card.image
    for record in (
        "",
        "220100",
        "2201",
        "220102" + OTHER.hex(),
        "220103" + OTHER.hex(),
        "220100" + OTHER.hex()[2:],
        "220101" + OTHER.hex(),
    ):
        assert loaded(card, record) in ("6A80", "6988"), record
    assert card.card.image == before
    assert Terminal(module()).send("84D4000000") == "6A88", "the keys are the application's"


@pytest.mark.parametrize("place", range(5, 0x1C + 5))
def test_every_byte_counts(place: int) -> None:
    card = module_terminal()
    command = bytearray(loading(card.challenge(4), "220100" + OTHER.hex()))
    command[place] ^= 0x01
    a_refusal_changes_nothing(card, bytes(command))


def _ready(card: Terminal) -> bytes:
    card.go(SELECT_MODULE)
    return loading(card.challenge(4), "420000" + OTHER.hex())


def test_a_tear_leaves_the_old_key_or_the_new() -> None:
    scene = Scene("WRITE KEY (security module)", module, _ready)
    a_tear_leaves_before_or_after(scene)
    for first in range(4):
        a_tear_leaves_before_or_after(scene, first)


def test_the_master_key_is_never_lent() -> None:
    assert module_terminal().send("801A000000") == "6985"
    other = with_key(module(), DF01, keys_of(module(), 0)[0x00]._replace(reference=0x31, version=0x20))
    assert module_terminal(other).send(f"801A203108{CARD_FACTOR}") == "6985"
