"""A terminal with a security module: it holds the keys that elsewhere a vault holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from card.cards import CARD_KEY, PROFILE, funded
from card.modules import (
    CITY_FACTOR,
    DF01,
    MODULE_SERIAL,
    MODULE_TERMINAL,
    PROVINCE_FACTOR,
    descended,
    mac_of_blocks,
    module,
    with_module_key,
)
from card.oracle import fold, mac, tdes
from kaguan.apdu.command import CommandApdu
from kaguan.card_os.image import CardImage, Lifecycle, key_address
from kaguan.card_os.profile import DedicatedSpec
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.cardkeys import CardKeys, card_factor, region_factors
from kaguan.terminal.conversations.authentication import authenticate_as, prove_genuine
from kaguan.terminal.conversations.blocking import block_card
from kaguan.terminal.conversations.files import open_file, read_all_records, read_binary, select_dedicated, select_file
from kaguan.terminal.conversations.medical_purchase import (
    MedicalAmounts,
    MedicalOffer,
    begin_medical_purchase,
    check_medical_tac,
    debit_medical,
    prove_medical,
)
from kaguan.terminal.conversations.module_purchase import PurchaseReceipt, begin_purchase, debit
from kaguan.terminal.conversations.pin import reload_pin, unblock_pin, verify_pin
from kaguan.terminal.psam import ModuleVault, SecurityModule
from kaguan.terminal.refusals import CardBlocked, CardRefused, NotGenuine, PinRefused
from kaguan.terminal.script import Script, converse
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import Pin
from kaguan.vault.vault import KeyAbsent, KeyRef, Usage, UsageForbidden
from terminal.counter import PIN, WHEN, WRONG_PIN, balance_fen, in_ssse, keys, new_card, ready_to_pay
from terminal.test_purchase import Spying

BILL = MedicalAmounts(100, 200, 300)
FACTORS = (region_factors("990100")[1], card_factor(funded(0).atr))
CHALLENGE = bytes.fromhex("1122334455667788")


def in_terminal(image: CardImage | None = None) -> tuple[SecurityModule, CardKeys]:
    """A module in the terminal, and the specimen's keys as it holds them."""
    held = SecurityModule(EmulatedCard(image or module()))
    return held, CardKeys(ModuleVault(held, PROFILE), PROFILE, "990100", funded(0).atr)


def without(*labels: str, also: dict[tuple[int, int], bytes] | None = None) -> CardImage:
    """The module without the keys of these labels, and with some in other places."""
    image = module()
    addresses = {PROFILE.key(label).psam[-2:] for label in labels}
    gone = {key_address(DF01, Usage.SECURITY_MODULE, int(address, 16)) for address in addresses}
    table = {at: versions for at, versions in image.keys.items() if at not in gone}
    some = next(iter(image.keys.values()))[0]
    for (usage, key), value in (also or {}).items():
        at = key_address(DF01, Usage.SECURITY_MODULE, key)
        table[at] = (some._replace(reference=key, version=usage, value=value),)
    return image._replace(keys=table)


def test_what_it_says_of_itself() -> None:
    held, _ = in_terminal()
    assert held.terminal.hex() == MODULE_TERMINAL
    assert held.serial == MODULE_SERIAL.rjust(10, b"\0")
    assert (held.key_index, held.transaction_number) == (1, 1)


def pay(card: EmulatedCard, held: SecurityModule, bill: MedicalAmounts = BILL) -> tuple[MedicalOffer, PurchaseReceipt]:
    """A medical purchase from PIN to receipt."""
    converse(card, ready_to_pay())
    offer = converse(card, begin_medical_purchase(bill, held.terminal, held.key_index))
    signature = held.begin_medical_purchase(offer.head(WHEN), *FACTORS)
    return offer, converse(card, debit_medical(held, signature, WHEN))


def test_a_medical_purchase_from_end_to_end() -> None:
    card = new_card(1_000)
    held, _ = in_terminal()
    for number in (1, 2, 3):
        offer, receipt = pay(card, held)
        assert receipt.number == number.to_bytes(4, "big")
        check_medical_tac(keys(), offer, receipt, WHEN)
        assert balance_fen(card) == 1_000 - 100 * number
    assert held.transaction_number == 4
    proof = converse(card, prove_medical(offer))
    assert proof is not None
    assert proof.tac == receipt.tac
    assert converse(card, prove_medical(pay(card, held)[0])) is not None
    assert converse(card, prove_medical(offer)) is None


@pytest.mark.parametrize("place", range(4))
def test_a_receipt_that_was_changed_is_not_genuine(place: int) -> None:
    offer, receipt = pay(new_card(1_000), in_terminal()[0])
    tac = bytearray(receipt.tac)
    tac[place] ^= 0x01
    with pytest.raises(NotGenuine, match="TAC"):
        check_medical_tac(keys(), offer, receipt._replace(tac=bytes(tac)), WHEN)


def test_another_cards_mac2_is_not_genuine_and_in_the_end_blocks_the_module() -> None:
    held, _ = in_terminal()
    link = Spying(new_card(1_000))
    for _ in range(3):
        converse(link, ready_to_pay())
        offer = converse(link, begin_medical_purchase(BILL, held.terminal))
        signature = held.begin_medical_purchase(offer.head(WHEN), *FACTORS)
        link.spoiled = 7
        with pytest.raises(NotGenuine, match="MAC2"):
            converse(link, debit_medical(held, signature, WHEN))
        link.spoiled = None
    with pytest.raises(CardRefused, match="6A81"):
        held.begin_medical_purchase(offer.head(WHEN), *FACTORS)


def test_a_module_of_another_city_signs_nothing_that_the_card_takes() -> None:
    held, _ = in_terminal()
    card = new_card(1_000)
    converse(card, ready_to_pay())
    offer = converse(card, begin_medical_purchase(BILL, held.terminal))
    signature = held.begin_medical_purchase(offer.head(WHEN), b"990200sx", FACTORS[1])
    with pytest.raises(CardRefused, match="9302"):
        converse(card, debit_medical(held, signature, WHEN))
    assert balance_fen(card) == 1_000


ADDRESSED = [
    key.master_label
    for key in PROFILE.keys()  # noqa: SIM118 - no mapping
    if key.psam and key.usage is Usage.EXTERNAL_AUTHENTICATION
]


def test_a_plain_purchase_from_end_to_end() -> None:
    card, (held, _) = new_card(1_000), in_terminal()
    for left in (700, 400):
        converse(card, ready_to_pay())
        offer = converse(card, begin_purchase(300, held.terminal, key_index=held.key_index))
        assert offer.balance_fen == left + 300
        receipt = converse(card, debit(held, held.begin_purchase(offer.head(WHEN), *FACTORS), WHEN))
        fields = bytes.fromhex("0000012C05") + held.terminal + receipt.number + bytes.fromhex("20240101120000")
        assert receipt.tac == mac(fold(CARD_KEY), fields)
        assert balance_fen(card) == left


@pytest.mark.parametrize("label", ADDRESSED)
def test_every_key_that_has_an_address_authenticates(label: str) -> None:
    _, held_keys = in_terminal()
    card = new_card()
    converse(card, in_ssse())
    converse(card, select_dedicated(PROFILE.by_name[label.partition(".")[0]]))
    converse(card, authenticate_as(held_keys, label))


def test_the_card_is_genuine_to_the_module() -> None:
    _, held_keys = in_terminal()
    card = new_card()
    converse(card, in_ssse())
    converse(card, prove_genuine(held_keys, CHALLENGE, bytes(8)))


def test_a_protected_file_is_read_with_the_modules_key() -> None:
    _, held_keys = in_terminal()
    card = new_card()
    converse(card, in_ssse())
    file = converse(card, open_file(PROFILE, "DF01", "EF05"))
    with pytest.raises(CardRefused, match="6982"):
        converse(card, read_all_records(file))
    converse(card, authenticate_as(held_keys, "DF01.RK1"))
    converse(card, open_file(PROFILE, "DF01", "EF05"))
    assert converse(card, read_all_records(file))[0x0E] == "990101"
    converse(card, in_ssse())
    converse(card, authenticate_as(held_keys, "SSSE.UK"))
    assert converse(card, read_photo()) == b"\xff" * 16


def read_photo() -> Script[bytes]:
    """The first bytes of the photo."""
    yield from select_file(PROFILE.file("SSSE", "EF08").fid)
    return (yield from read_binary(16))


def test_a_pin_is_unblocked_and_reloaded_with_the_modules_keys() -> None:
    _, held_keys = in_terminal()
    card = new_card()
    converse(card, in_ssse())
    with pytest.raises(PinRefused):
        converse(card, verify_pin(WRONG_PIN))
    converse(card, unblock_pin(held_keys))
    converse(card, reload_pin(held_keys, WRONG_PIN))
    converse(card, verify_pin(WRONG_PIN))
    with pytest.raises(PinRefused):
        converse(card, verify_pin(PIN))


def test_a_card_is_blocked_with_the_modules_keys() -> None:
    _, held_keys = in_terminal()
    card = new_card()
    converse(card, block_card(held_keys))
    assert card.transceive(bytes.fromhex("00A40000023F00")).hex() == "6a81"


def test_a_citys_module_serves_where_the_profile_says_a_provinces() -> None:
    """48/12 in the table, 28/12 in a published script: the same key, nearer to the card."""
    city = descended(bytes(range(16)), PROVINCE_FACTOR, CITY_FACTOR)
    _, held_keys = in_terminal(without("SSSE.UK", also={(0x28, 0x12): city}))
    card = new_card()
    converse(card, in_ssse())
    converse(card, authenticate_as(held_keys, "SSSE.UK"))


def test_a_key_that_is_not_there_is_absent() -> None:
    _, held_keys = in_terminal(without("SSSE.UK"))
    with pytest.raises(KeyAbsent, match=r"'SSSE\.UK' at 48/12"):
        held_keys.vault.encipher(held_keys.ref("SSSE.UK"), bytes(8))
    with pytest.raises(KeyAbsent, match=r"'DF04\.DTK'"):
        held_keys.vault.mac(held_keys.ref("DF04.DTK"), bytes(8))


def test_a_module_that_refuses_says_so() -> None:
    image = module()
    ended = image.dedicated[DF01]._replace(lifecycle=Lifecycle.TERMINATED)
    _, held_keys = in_terminal(image._replace(dedicated={**image.dedicated, DF01: ended}))
    with pytest.raises(CardBlocked):
        held_keys.vault.encipher(held_keys.ref("SSSE.UK"), bytes(8))
    held, held_keys = in_terminal(with_module_key(0x42, 0x12, CARD_KEY.hex()))
    with pytest.raises(CardRefused, match="6985"):
        held.lend(0x42, 0x12, FACTORS, None)


def test_a_key_of_sm4_is_not_asked_for() -> None:
    profile = replace(PROFILE, dedicated=tuple(_with_sm4(spec) for spec in PROFILE.dedicated))
    vault = ModuleVault(in_terminal()[0], profile)
    with pytest.raises(KeyAbsent, match="SM4"):
        vault.encipher(keys().ref("SSSE.UK"), bytes(16))


def _with_sm4(spec: DedicatedSpec) -> DedicatedSpec:
    return replace(spec, keys=tuple(replace(key, algorithm=Algorithm.SM4) for key in spec.keys))


def test_its_macs_are_a_vaults_macs() -> None:
    """Long ones are sent in parts."""
    _, held_keys = in_terminal()
    ref = held_keys.ref("SSSE.STK")
    for size in (0, 7, 8, 223, 224, 231, 232, 240, 700):
        data = bytes(size)
        for iv in (b"", b"1234", CHALLENGE):
            assert held_keys.vault.mac(ref, data, iv) == keys().vault.mac(ref, data, iv), size
            assert held_keys.vault.verify_mac(ref, data, keys().vault.mac(ref, data, iv), iv)
    assert not held_keys.vault.verify_mac(ref, b"", bytes(4))
    session = ref.session(CHALLENGE)
    blocks = b"abc\x80\0\0\0\0"
    expected = mac_of_blocks(tdes(CARD_KEY, CHALLENGE), bytes(8), blocks)
    assert held_keys.vault.mac(session, b"abc") == expected


def _folded(ref: KeyRef) -> KeyRef:
    return ref.folded()


def _session_of_session(ref: KeyRef) -> KeyRef:
    return ref.session(CHALLENGE).session(CHALLENGE)


@pytest.mark.parametrize("change", [_folded, _session_of_session])
def test_it_lends_card_keys_and_process_keys_alone(change: Callable[[KeyRef], KeyRef]) -> None:
    _, held_keys = in_terminal()
    with pytest.raises(UsageForbidden):
        held_keys.vault.mac(change(held_keys.ref("SSSE.STK")), b"")


def test_a_master_key_works_on_nothing() -> None:
    _, held_keys = in_terminal()
    for factors in ((), FACTORS[1:]):
        with pytest.raises(KeyAbsent):
            held_keys.vault.encipher(KeyRef("SSSE.UK").diversified(*factors), bytes(8))


def test_it_tells_nothing_and_gives_nothing_away() -> None:
    _, held_keys = in_terminal()
    vault, ref = held_keys.vault, held_keys.ref("SSSE.STK")
    assert list(vault.infos()) == []
    assert vault.info(ref).check_value.value == bytes(3)
    with pytest.raises(UsageForbidden):
        vault.check_value(ref)
    command = CommandApdu(0x84, 0x24, 0x00, 0x01)
    pin = Pin.of("123456")
    for scheme, append, encrypted in ((Scheme.PBOC, None, True), (Scheme.SSC, ref, True), (Scheme.SSC, pin, False)):
        with pytest.raises(UsageForbidden):
            vault.protect(ref, scheme, command, CHALLENGE, encrypted=encrypted, append=append)


def test_it_protects_as_a_vault_does() -> None:
    _, held_keys = in_terminal()
    ref = held_keys.ref("SSSE.STK")
    for command, append, encrypted in (
        (CommandApdu(0x84, 0x24, 0x00, 0x00), None, False),
        (CommandApdu(0x84, 0x24, 0x00, 0x00), None, True),
        (CommandApdu(0x84, 0x24, 0x00, 0x01, bytes(3)), None, True),
        (CommandApdu(0x84, 0x24, 0x00, 0x01, bytes(7)), Pin.of("123456"), True),
        (CommandApdu(0x84, 0xDC, 0x01, 0x04, bytes(100)), None, False),
    ):
        made = held_keys.vault.protect(ref, Scheme.SSC, command, CHALLENGE, encrypted=encrypted, append=append)
        assert made == keys().vault.protect(ref, Scheme.SSC, command, CHALLENGE, encrypted=encrypted, append=append)


def test_a_reset_module_selects_its_application_again() -> None:
    held, held_keys = in_terminal()
    ref = held_keys.ref("SSSE.UK").session(bytes(range(8)))
    first = held_keys.vault.encipher(ref, bytes(8))
    held.reset()
    assert held_keys.vault.encipher(ref, bytes(8)) == first == keys().vault.encipher(ref, bytes(8))
    with pytest.raises(CardRefused, match="6901"):
        held.check(bytes(4))
