"""Every number, from what really brings it about."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from card.cards import DF04, SSSE, blank, funded, specimen, with_file
from card.modules import CITY_FACTOR, PROVINCE_FACTOR, descended, module, with_module_key
from card.modules import DF01 as MODULE_DF01
from kaguan.apdu.errors import NoReader
from kaguan.apdu.link import Link
from kaguan.card_os.image import CardImage, Lifecycle, key_address
from kaguan.card_os.profile import load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.preparation.record import prepare
from kaguan.personalization.specimen import SERIAL, specimen_holder, specimen_vault
from kaguan.personalization.station.recipe import make_card
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.ministry import CardName, Contacts, FilePinPad, MinistryTerminal, Number, Slot
from kaguan.terminal.ministry.messages import reply
from kaguan.terminal.ministry.number import MEANINGS, meaning
from kaguan.terminal.pcsc import open_reader
from kaguan.terminal.script import converse
from kaguan.vault.vault import Usage
from terminal.office import (
    INFO,
    INITIAL,
    OWN,
    PAYMENT,
    Typing,
    hsm,
    info_of,
    third_generation,
    with_own_pin,
)

NAME = CardName("990100", "00815431008660200101000001")
READ_KEYED = (1, 2, INFO, "DF02EF15|0F|$")


def at(
    card: CardImage | Link | None = None, module: CardImage | None = None, typed: str = INITIAL, new: str = OWN
) -> MinistryTerminal:
    """A terminal with this card and module."""
    link = EmulatedCard(card or specimen()) if card is None or isinstance(card, CardImage) else card
    return MinistryTerminal(link, module and EmulatedCard(module), Typing(typed, new))


def faulty(*faults: str) -> Link:
    return Faults(*faults).on(EmulatedCard(specimen()))


def record_replaced(image: CardImage, file: str, number: int, record: bytes) -> CardImage:
    address = SSSE + bytes.fromhex(file)
    records = list(image.files[address].records)
    records[number - 1] = record
    return with_file(image, address, image.files[address]._replace(records=tuple(records)))


def module_without(*keys: tuple[int, ...]) -> CardImage:
    """The module without the keys of these numbers."""
    image = module()
    gone = {key_address(MODULE_DF01, Usage.SECURITY_MODULE, key) for numbers in keys for key in numbers}
    return image._replace(keys={address: held for address, held in image.keys.items() if address not in gone})


def card_of(region: str) -> CardImage:
    """A card like the specimen, of another city."""
    profile = load_profile("ssc-v2")
    card = EmulatedCard(blank_chip(profile, SERIAL))
    keys = CardKeys(specimen_vault(profile), profile, region, card.atr)
    converse(card, make_card(keys, prepare(profile, specimen_holder(profile), b"")))
    return card.image


def citys_module() -> CardImage:
    """A module whose key of UK is that of the city 990100, one level above the card."""
    image = module_without((0x12,))
    city = descended(bytes(range(16)), PROVINCE_FACTOR, CITY_FACTOR).hex()
    address = key_address(MODULE_DF01, Usage.SECURITY_MODULE, 0x12)
    return image._replace(keys={**image.keys, address: with_module_key(0x28, 0x12, city).keys[address]})


def torn_and_dark_again() -> Link:
    """A card that was torn while it wrote, in a reader whose power fails again while it recovers."""
    card = EmulatedCard(specimen())
    torn = Faults("tear@VERIFY:3").on(card)
    MinistryTerminal(torn, None, Typing()).iVerifyPIN(1)
    assert torn.struck
    card.power.cut_after(0)
    return card


def ssf33_card() -> CardImage:
    """A card whose FCI says SSF33."""
    image = third_generation()
    shown = image.dedicated[SSSE]
    marked = shown._replace(shown=shown.shown[:-1] + b"\x02")
    return image._replace(dedicated={**image.dedicated, SSSE: marked})


def step2(terminal: MinistryTerminal, spoil: Callable[[str], str]) -> int:
    """The number of a second step with a spoiled result."""
    asked = terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$")
    return terminal.iReadCard_HSM_Step2(spoil(hsm().external(NAME, asked.out))).number


def internal_spoiled() -> int:
    terminal = at()
    results = hsm().basic(terminal.iReadCardBas_HSM_Step1(1).out)
    return terminal.iReadCardBas_HSM_Step2(("0" if results[0] != "0" else "1") + results[1:]).number


def mac1_spoiled(image: CardImage) -> int:
    terminal = at(image, typed=OWN)
    asked = terminal.iDoDebit_HSM_Step1(1, INFO, PAYMENT)
    results = hsm().purchase(NAME, asked.out)
    return terminal.iDoDebit_HSM_Step2(results[:-2] + ("0" if results[-2] != "0" else "1") + "|").number


def blocked_key() -> int:
    image = specimen()
    address = key_address(SSSE + b"\xdf\x02", Usage.EXTERNAL_AUTHENTICATION, 0x88)
    (key,) = image.keys[address]
    return (
        at(image._replace(keys={**image.keys, address: (key._replace(tries_left=0),)}), module())
        .iReadCard(*READ_KEYED)
        .number
    )


def without_tac_key() -> CardImage:
    image = with_own_pin()
    gone = key_address(DF04, Usage.TAC, 0x01)
    return image._replace(keys={at: key for at, key in image.keys.items() if at != gone})


def blocked_medical_application() -> CardImage:
    image = with_own_pin()
    blocked = image.dedicated[DF04]._replace(lifecycle=Lifecycle.DEACTIVATED)
    return image._replace(dedicated={**image.dedicated, DF04: blocked})


def wrong_thrice() -> int:
    terminal = at(typed="999999")
    assert [terminal.iVerifyPIN(1).number for _ in range(3)] == [-51] * 3
    return terminal.iVerifyPIN(1).number


CAUSES: list[tuple[int, Callable[[], int]]] = [
    (-1, lambda: at().iReadCardBas(9).number),
    (-1, lambda: at(blank()).iReadCardBas(1).number),
    (-1, lambda: at(record_replaced(specimen(), "EF05", 3, b"\x03\x049.00")).iReadCardBas(1).number),
    (-2, lambda: at().iReadCardBas(2).number),
    (-2, lambda: at(faulty("remove@READ RECORD")).iReadCardBas(1).number),
    (-3, lambda: at(torn_and_dark_again()).iReadCardBas(1).number),
    (-4, lambda: at(faulty("lose@READ RECORD")).iReadCardBas(1).number),
    (-4, lambda: at(faulty("mute@SELECT")).iReadCardBas(1).number),
    (-12, lambda: at().iReadCardBas_HSM_Step2("0" * 16).number),
    (-15, lambda: at(record_replaced(specimen(), "EF06", 2, b"\x09\x1e" + b"\x80" * 30)).iReadCardBas(1).number),
    (-15, lambda: at(record_replaced(specimen(), "EF06", 2, b"\x09\x1e" + b"A|B" + bytes(27))).iReadCardBas(1).number),
    (-20, lambda: at(record_replaced(specimen(), "EF05", 1, b"\x01\x10" + bytes(16))).iReadCardBas(1).number),
    (-20, lambda: at().iReadCard(1, 1, "12345|A00000011|", "SSSEEF05|01|$").number),
    (-21, internal_spoiled),
    (-21, lambda: at(None, with_module_key(0x67, 0x08, "11" * 16)).iReadCardBas(1).number),
    (-22, lambda: at().iReadCard(1, 1, INFO.replace("A00000011", "A00000012"), "SSSEEF05|01|$").number),
    (-22, lambda: at(third_generation()).iReadCard(1, 1, INFO, "SSSEEF05|01|$").number),
    (-23, lambda: at().iReadCard(1, 1, INFO, "SSSEEF05|01|").number),
    (-23, lambda: at().iReadCard(1, 9, INFO, "SSSEEF05|01|$").number),
    (-23, lambda: at().iWriteCard(1, INFO, "SSSEEF06|0D|$", "SSSEEF06|today|$").number),
    (-23, lambda: at().iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$DF03EF06|46|$").number),
    (-23, lambda: at().iDoDebit(1, INFO, "0.1|0.2|20241301120000|").number),
    (-24, lambda: at(card_of("990200"), citys_module()).iWriteCard(
        1, info_of(card_of("990200")), "SSSEEF06|09|$", "SSSEEF06|X|$").number),
    (-31, lambda: MinistryTerminal(EmulatedCard(specimen())).iVerifyPIN(1).number),
    (-33, lambda: at(typed="123").iVerifyPIN(1).number),
    (-35, lambda: at(funded(1_000), module()).iDoDebit(1, INFO, PAYMENT).number),
    (-35, lambda: at(funded(1_000)).iDoDebit_HSM_Step1(1, INFO, PAYMENT).number),
    (-36, lambda: at(with_own_pin(), typed=OWN, new=INITIAL).iChangePIN(1).number),
    (-41, lambda: step2(at(), lambda result: "G" + result[1:])),
    (-42, lambda: step2(at(), lambda result: result[2:])),
    (-51, lambda: at(typed="999999").iVerifyPIN(1).number),
    (-51, lambda: at(typed="999999").iChangePIN(1).number),
    (-52, wrong_thrice),
    (-2201, lambda: at(third_generation()).iReadCardBas(1).number),
    (-2201, lambda: at().iReloadPIN(1, INFO).number),
    (-2202, lambda: at(third_generation("+sm4"), module()).iReadCardBas(1).number),
    (-2202, lambda: at(ssf33_card(), module()).iReadCardBas(1).number),
    (-2202, lambda: at(ssf33_card()).iReadCardBas_HSM_Step1(1).number),
    (-2203, lambda: at(third_generation(), module_without((0x0A,))).iReadCardBas(1).number),
    (-2204, lambda: at().iReadCard_HSM_Step1(1, INFO, "SSSEEF05|01|$").number),
    (-0x63C7, lambda: step2(at(), lambda result: ("0" if result[0] != "0" else "1") + result[1:])),
    (-0x6981, lambda: at().iReadCard(1, 1, INFO, "SSSEEF08|01|$").number),
    (-0x6982, lambda: at(None, module()).iWriteCard(
        1, INFO, "DF04EF08:01$", "DF04EF08:0001,2,1,1,1,1,1$").number),
    (-0x6983, blocked_key),
    (-0x6A81, lambda: at(blocked_medical_application(), module(), OWN).iDoDebit(1, INFO, PAYMENT).number),
    (-0x6A82, lambda: at().iReadCard(1, 1, INFO, "DF09EF05|01|$").number),
    (-0x6A83, lambda: at().iReadCard(1, 1, INFO, "SSSEEF05|99|$").number),
    (-0x6A83, lambda: at().iReadCard(1, 1, INFO, "DF04EF08:01$").number),
    (-0x6A88, lambda: at(None, module_without((0x35,))).iReadCard(*READ_KEYED).number),
    (-0x9302, lambda: mac1_spoiled(with_own_pin())),
    (-0x9401, lambda: at(with_own_pin(0), module(), OWN).iDoDebit(1, INFO, PAYMENT).number),
    (-0x9403, lambda: at(with_own_pin(), module_without((0x00,)), OWN).iDoDebit(1, INFO, PAYMENT).number),
    (-0x9406, lambda: at(without_tac_key(), module(), OWN).iDoDebit(1, INFO, PAYMENT).number),
]  # fmt: skip


@pytest.mark.parametrize(("number", "cause"), CAUSES, ids=lambda value: str(value) if isinstance(value, int) else "")
def test_the_number(number: int, cause: Callable[[], int]) -> None:
    assert cause() == number
    assert meaning(number) != "未知错误"


def test_the_numbers_of_status_words_are_those_that_drivers_list() -> None:
    listed = (-25536, -26368, -27010, -27011, -27272, -37634, -37635, -37891, -37894)
    words = (0x63C0, 0x6700, 0x6982, 0x6983, 0x6A88, 0x9302, 0x9303, 0x9403, 0x9406)
    assert listed == tuple(-word for word in words)
    assert all(meaning(number) != "未知错误" for number in listed)
    assert set(Number) <= set(MEANINGS)


def test_a_module_that_is_pulled_out_is_as_good_as_none() -> None:
    gone = Faults("remove@SELECT").on(EmulatedCard(module()))
    for unit in (gone, Slot(lambda: (_ for _ in ()).throw(NoReader("none")))):
        terminal = MinistryTerminal(EmulatedCard(specimen()), unit, Typing())
        assert terminal.iReadCard(*READ_KEYED).number == -2201


def test_a_card_that_must_prove_itself_meets_a_module_of_another_ministry() -> None:
    terminal = at(with_own_pin(), with_module_key(0x42, 0x00, "22" * 16), OWN)
    assert terminal.iDoDebit(1, INFO, PAYMENT).number == -0x9302


@pytest.mark.parametrize(
    ("lines", "seconds", "number"),
    [("", 0, -31), ("123456\n", 0, -31), ("123456\n2468\n1357\n", 0, -34), ("123456\n12\n", 0, -33), (None, 0.1, -32)],
)
def test_pins_from_a_file(tmp_path: Path, lines: str | None, seconds: float, number: int) -> None:
    file = tmp_path / "pins"
    if lines is not None:
        file.write_text(lines)
    card = EmulatedCard(specimen())
    before = card.image
    pad = FilePinPad(file, wait_seconds=seconds)
    assert MinistryTerminal(card, None, pad).iChangePIN(1).number == number
    assert card.image == before
    file.write_text(f"{INITIAL}\n{OWN}\n")
    assert MinistryTerminal(card, None, pad).iChangePIN(1).number == 0


def test_a_missing_library_and_a_missing_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    assert MinistryTerminal(Slot(lambda: open_reader("0"))).iReadCardBas(1).number == -5


def test_a_contactless_terminal() -> None:
    terminal = MinistryTerminal(EmulatedCard(specimen()), contacts=Contacts.CONTACTLESS)
    assert [terminal.iReadCardBas(interface).number for interface in (0, 1, 2, 3, 4)] == [-1, -2, 0, 0, 0]


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ('{"function": "iReadEverything"}', -13),
        ('{"function": 3}', -14),
        ('{"function": "iReadCardBas"}', -14),
        ('{"function": "iReadCardBas", "iType": true}', -14),
        ('{"function": "iReadCardBas", "iType": 3, "pOut": ""}', -14),
        ("[]", -14),
        ("not JSON", -14),
        ("[" * 20_000, -14),
        ('{"function": "iReadCardBas", "iType": ' + "9" * 5_000 + "}", -14),
    ],
)
def test_messages_that_are_no_calls(message: str, number: int) -> None:
    assert f'"errorno": {number},' in reply(at(), message)


def test_no_step_can_smuggle_a_command_in() -> None:
    card = EmulatedCard(specimen())
    terminal = MinistryTerminal(card, None, Typing())
    asked = terminal.iUnblockPIN_HSM_Step1(1, INFO)
    protected = terminal.iUnblockPIN_HSM_Step2(hsm().external(NAME, asked.out))
    assert protected.number == 0
    before = card.image
    assert terminal.iUnblockPIN_HSM_Step3("841E000004" + "00" * 4).number == -23
    assert card.image == before
