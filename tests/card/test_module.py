"""The security module of a terminal, judged by psec and by published purchases (JR/T 0025.9, LD/T 32.5)."""

from __future__ import annotations

import pytest

from card.cards import CARD_KEY, PURSE_ADDRESS, WHEN, Terminal, funded, terminal
from card.modules import (
    CARD_FACTOR,
    CITY_FACTOR,
    COUNTER,
    DF01,
    MODULE,
    MODULE_TERMINAL,
    PROVINCE_FACTOR,
    SELECT_MODULE,
    TERMINAL_FILE,
    amounts,
    debit_medical,
    descended,
    initialize_medical,
    medical_codes,
    module,
    module_command,
    module_terminal,
    with_file,
    with_module_key,
    with_number,
)
from card.oracle import mac, tdes
from card.purses import WALLET, bank_card, published
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.dispatch import execute
from kaguan.card_os.image import CardImage, Lifecycle, key_address
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile.medical import parse_medical_rules
from kaguan.card_os.profile.module import ModuleAddress, ModuleRules
from kaguan.card_os.session import Session
from kaguan.emulator.imagecodec import decode_image, encode_image
from kaguan.vault.vault import Usage

MASTER = bytes(range(16))
RANDOM = "1122334455667788"
LEVELS = {3: CARD_FACTOR + CITY_FACTOR + PROVINCE_FACTOR, 2: CARD_FACTOR + CITY_FACTOR, 1: CARD_FACTOR}
HEAD = "A1B2C3D4" + "0007" + amounts(100) + "05" + "20240101120000" + "00" + "00"
MEDICAL = "A1B2C3D4" + "0007" + amounts(100, 200, 300) + "32" + "20240101120000" + "00" + "00"


def initialize(head: str = HEAD, factors: str = LEVELS[2]) -> str:
    """INITIALIZE SAM FOR PURCHASE with this head."""
    p1 = "01" if len(head) > len(HEAD) else "00"
    return f"8070{p1}00{len(head + factors) // 2:02X}{head}{factors}08"


def counter(card: Terminal) -> int:
    """The transaction number in the module's file."""
    return int.from_bytes(card.card.image.files[COUNTER].content, "big")


def test_its_files_are_read_as_drivers_read_them() -> None:
    card = Terminal(module())
    assert card.send("00B095000E") == "00000000" + MODULE_TERMINAL + "01010000" + "9000"
    assert card.send("00B0960006") == MODULE_TERMINAL + "9000"
    assert card.send(SELECT_MODULE) == "610A"
    assert card.send("00B09C0001") == "019000"
    assert card.send("00A40000020019") == "9000"
    assert card.send("00B0000004") == "000000019000"
    assert card.send("00D6000004FFFFFFFF") == "6982"
    assert card.send("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00").startswith("6F11840F7378312E")


def test_it_is_kept_whole_in_an_image() -> None:
    assert decode_image(encode_image(module())) == module()


def test_its_keys_are_those_above_the_specimens_keys() -> None:
    above = {0x60: MASTER, 0x40: descended(MASTER, PROVINCE_FACTOR)}
    above[0x20] = descended(above[0x40], CITY_FACTOR)
    above[0x00] = bytes.fromhex("00112233445566778899AABBCCDDEEFF")  # its own master key, the published one
    for key in MODULE.keys():  # noqa: SIM118 - no mapping
        assert key.value == above[key.version & 0xE0], key.label
        assert key.label == "MK" or ModuleAddress.parse(key.psam) == (key.version, key.reference)
    assert descended(above[0x20], CARD_FACTOR) == CARD_KEY


def test_a_purchase_of_both_cards() -> None:
    user, card = terminal(funded(), at="DF04", pin=True), module_terminal()
    bill = amounts(100, 200, 300)
    offer = user.send(initialize_medical(100, 200, 300))
    signature = card.send(module_command(offer, bill))
    mac1, mac2, tac = medical_codes(offer, bill, "00000001")
    assert signature == "00000001" + mac1 + "9000"
    codes = user.send(debit_medical(signature))
    assert codes == tac + mac2 + "9000"
    assert card.send("8072000004" + codes[8:16]) == "9000"
    assert user.card.image.purses[PURSE_ADDRESS].balance_fen == 9_900


def test_a_module_nearer_to_the_card_takes_one_factor_less() -> None:
    """Lc 24: a city's module, whose purchase key has one level."""
    card = module_terminal(with_module_key(0x22, 0x00, descended(MASTER, PROVINCE_FACTOR, CITY_FACTOR).hex()))
    command = initialize(MEDICAL, LEVELS[1])
    assert command[8:10] == "24"
    whole = module_terminal().send(initialize(MEDICAL))
    assert card.send(command) == whole


def test_a_published_purchase() -> None:
    """A real card's purchase (FM1208): its MAC1 made, its MAC2 found good, by a module with the card's own key."""
    sums = published("pboc-purchase-ep-fm1208")
    amount, kind, number, when = _parts(sums["MAC1"]["data"])
    image = with_file(with_number(0, with_module_key(0x02, 0x00, sums["session_key"]["key"])), TERMINAL_FILE, number)
    card = module_terminal(image)
    head = "584633C9" + "0000" + amount + kind + when + "00" + "00"
    assert card.send(initialize(head, "")) == "00000000" + sums["MAC1"]["out"] + "9000"
    assert card.send("8072000004" + sums["MAC2"]["out"]) == "9000"


def _parts(fields: str) -> tuple[str, str, str, str]:
    """Amount, type, terminal and time of a MAC1's data."""
    return fields[:8], fields[8:10], fields[10:22], fields[22:]


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_plain_purchase_of_a_purse_card(levels: int) -> None:
    factors = [CITY_FACTOR, PROVINCE_FACTOR, CARD_FACTOR][:levels]
    key = descended(MASTER, *factors)
    card = module_terminal(with_module_key(levels << 5 | 2, 0x00, MASTER.hex()))
    user = terminal(bank_card(key.hex(), purse=WALLET, balance_fen=100), at="DF04")
    offer = user.send(f"805001020B01{amounts(30)}{MODULE_TERMINAL}0F")
    command = module_command(offer, amounts(30), medical=False, kind="06", factors="".join(reversed(factors)))
    signature = card.send(command)
    codes = user.send(f"805401000F{signature[:8]}{WHEN}{signature[8:16]}08")
    assert codes.endswith("9000")
    assert card.send("8072000004" + codes[8:16]) == "9000"
    assert user.send("805C000204") == f"{70:08X}9000"


@pytest.mark.parametrize("head", [HEAD, MEDICAL])
def test_drivers_may_leave_the_citys_factor_out(head: str) -> None:
    """Some send Lc 24 and the card's factor alone, the module's key being its city's: the same card key comes of it."""
    short, long = (module_terminal().send(initialize(head, LEVELS[levels])) for levels in (1, 2))
    assert short == long
    assert short.endswith("9000")


def test_the_number_is_spent_before_mac1_is_answered_and_survives() -> None:
    card = module_terminal()
    numbers = [card.send(initialize())[:8] for _ in range(3)]
    card.card.reset()
    card.send(SELECT_MODULE)
    numbers.append(card.send(initialize(MEDICAL))[:8])
    assert numbers == ["00000001", "00000002", "00000003", "00000004"]
    assert card.send("00A40000020019") == "9000"
    assert card.send("00B0000004") == "000000059000"


def test_a_site_may_have_the_number_answered_after_the_increment() -> None:
    rules = ModuleRules(answers_next_number=True)
    chip = Chip(bytes, MODULE.behaviour._replace(module=rules))
    outcome = execute(module(), Session(DF01), CommandApdu.parse(bytes.fromhex(initialize())), chip)
    assert outcome.data[:4] == bytes.fromhex("00000002")


def test_what_is_signed_is_the_profiles_to_say() -> None:
    rules = parse_medical_rules({"mac1": ["sequence", "terminal-number", "pool", "AA"], "mac2": ["when", "terminal"]})
    chip = Chip(bytes, MODULE.behaviour._replace(medical=rules))
    command = CommandApdu.parse(bytes.fromhex(initialize(MEDICAL)))
    outcome = execute(module(), Session(DF01), command, chip)
    session = tdes(CARD_KEY, bytes.fromhex("A1B2C3D4" + "0007" + "0001"))
    assert outcome.data[4:] == mac(session, bytes.fromhex("0007" + "00000001" + "0000012C" + "AA"))
    code = mac(session, bytes.fromhex(WHEN + MODULE_TERMINAL))
    credit = CommandApdu.parse(bytes.fromhex("8072000004") + code)
    assert execute(with_number(2), outcome.session, credit, chip).sw == 0x9000


def test_initialize_refuses_in_order() -> None:
    card = module_terminal()
    assert card.send("80700200") == "6A86"
    assert card.send("80700001" + "00") == "6A86"
    assert card.send("80700000" + "13" + "00" * 19) == "6700"
    assert card.send(initialize(HEAD, "00" * 7)) == "6700"
    assert card.send(initialize(HEAD[:-4] + "0900")) == "9403", "no such version"
    assert card.send(initialize(HEAD[:-4] + "0909")) == "9403"
    assert card.send(initialize(HEAD, LEVELS[3])) == "9403", "no key with three levels"
    assert card.send(initialize(HEAD, "00" * 64)) == "9403", "no usage byte has eight levels"
    assert card.send(initialize(HEAD[:-4] + "0001")) == "6A80"
    used = with_number(0xFFFF_FFFF)
    assert module_terminal(_blocked_key(used)).send(initialize()) == "9303"
    assert module_terminal(used).send(initialize()) == "9402"
    assert Terminal(module()).send(initialize()) == "9403", "the keys are the application's"
    without = used._replace(files={at: file for at, file in used.files.items() if at != COUNTER})
    assert module_terminal(without).send(initialize()) == "6A82"
    assert counter(card) == 1


def _blocked_key(image: CardImage) -> CardImage:
    address = key_address(DF01, Usage.SECURITY_MODULE, 0x00)
    return image._replace(keys={**image.keys, address: (image.keys[address][-1]._replace(tries_left=0),)})


def test_credit_refuses_in_order() -> None:
    card = module_terminal()
    assert card.send("80720100") == "6A86"
    assert card.send("80720000") == "6901"
    card.send(initialize())
    assert card.send("8072000003000000") == "6700"
    card.send(initialize())
    card.send("0084000004")
    assert card.send("807200000400000000") == "6901", "nothing comes between"


def _mac2(signature: str) -> str:
    session = tdes(CARD_KEY, bytes.fromhex("A1B2C3D4" + "0007" + signature[4:8]))
    return mac(session, bytes.fromhex(amounts(100))).hex().upper()


def test_wrong_codes_are_counted_in_a_row_and_the_last_blocks_for_ever() -> None:
    card = module_terminal()
    for _ in range(3):
        for _ in range(2):
            card.send(initialize())
            assert card.send("807200000400000000") == "9302"
        signature = card.send(initialize())
        assert card.send("8072000004" + _mac2(signature)) == "9000"
    for word in ("9302", "9302", "9303"):
        card.send(initialize())
        assert card.send("807200000400000000") == word
    for command in (initialize(), "00B09C0001", f"801A481210{LEVELS[2]}"):
        assert card.send(command) == "6A81"
    assert card.card.image.dedicated[DF01].lifecycle is Lifecycle.TERMINATED
    card.card.reset()
    assert card.send("00B0960006") == MODULE_TERMINAL + "9000", "the terminal's number is no part of the application"
    assert card.send(SELECT_MODULE) == "6A81"
    assert card.send(initialize()) == "6A81"


@pytest.mark.parametrize("place", range(4))
def test_every_byte_of_mac2_counts(place: int) -> None:
    card = module_terminal()
    code = bytearray.fromhex(_mac2(card.send(initialize())))
    code[place] ^= 0x01
    assert card.send("8072000004" + code.hex()) == "9302"


def test_a_code_is_checked_once() -> None:
    card = module_terminal()
    code = _mac2(card.send(initialize()))
    assert [card.send("8072000004" + code) for _ in range(2)] == ["9000", "6901"]


def test_a_user_card_is_no_module_and_a_module_no_user_card() -> None:
    user, card = terminal(funded(), at="DF04", pin=True), module_terminal()
    assert {user.send(command) for command in ("80700000", "80720000", "801A4812", "80FA0000")} == {"6D00"}
    assert user.send("BFDE4812") == "6E00"
    assert {card.send(command) for command in ("80500001", "805C0001", "80540100")} == {"6D00"}
    assert card.send("B0280101") == "6E00"


def test_no_key_is_ever_answered() -> None:
    card = module_terminal()
    for key in MODULE.keys():  # noqa: SIM118 - no mapping
        levels = key.version >> 5
        card.send(f"801A{key.version:02X}{key.reference:02X}{8 * levels:02X}{LEVELS.get(levels, '')}")
        card.send("80FA000010" + "00" * 16 + "10")
    secrets = {half for key in MODULE.keys() for half in (key.value[:8], key.value[8:], CARD_KEY[:8], CARD_KEY[8:])}  # noqa: SIM118
    assert not any(secret in response for _, response in card.trace for secret in secrets)
