"""Calls in steps, with the authority's module far away."""

from __future__ import annotations

import pytest

from card.cards import CARD_KEY, DF04, PIN_ADDRESS, funded, specimen
from card.oracle import fold, mac, tdes
from kaguan.card_os.image import CardImage
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.terminal.ministry import CardName, MinistryTerminal, Slot, call_with_hsm
from kaguan.terminal.ministry.hsm import UnknownRequest
from terminal.office import BASIC, INFO, OWN, PAYMENT, Typing, hsm, info_of, third_generation, with_own_pin

NAME = CardName("990100", "00815431008660200101000001")
GENERATIONS = [("", 16, 32), ("+sm4", 32, 64)]


def keyless(image: CardImage, typed: str = "123456") -> MinistryTerminal:
    """A terminal without a security module."""
    return MinistryTerminal(EmulatedCard(image), None, Typing(typed))


@pytest.mark.parametrize(("variant", "internal", "external"), GENERATIONS)
def test_the_basic_data_of_the_third_generation(variant: str, internal: int, external: int) -> None:
    image = third_generation(variant)
    terminal = keyless(image)
    assert terminal.iReadCardBas(3).number == -2201
    asked = terminal.iReadCardBas_HSM_Step1(3)
    fields = asked.out.split("|")
    assert [*map(len, fields)] == [6, 26, 2, 32, 16, internal, 16, internal, 12, 0]
    assert fields[2] == ("03" if variant else "01")
    results = hsm(variant).basic(asked.out)
    assert len(results) == internal + external + 1
    answer = terminal.iReadCardBas_HSM_Step2(results)
    assert answer.number == 0
    assert answer.out.split("|")[1:5:3] == ["990101199003070015", "张三"]
    assert call_with_hsm(terminal, hsm(variant), "iReadCardBas", 3) == answer


def test_the_module_may_leave_the_original_out_and_put_ends_between() -> None:
    terminal = keyless(third_generation())
    results = hsm().basic(terminal.iReadCardBas_HSM_Step1(3).out)
    assert terminal.iReadCardBas_HSM_Step2(f"{results[:16]}|{results[16:32]}|".lower()).number == 0


def test_the_second_generation_only_proves_itself() -> None:
    terminal = keyless(specimen())
    asked = terminal.iReadCardBas_HSM_Step1(3)
    assert asked.out.split("|")[6:8] == ["", ""]
    assert terminal.iReadCardBas_HSM_Step2(hsm().basic(asked.out)) == (0, BASIC)


@pytest.mark.parametrize(
    ("address", "key"), [("DF02EF15|0F|$", "0064"), ("DF03EF06|46|$", "0193"), ("DF04EF06|90|$", "0182")]
)
def test_files_are_read_with_the_key_at_its_address(address: str, key: str) -> None:
    terminal = keyless(specimen())
    assert terminal.iReadCard(1, 2, INFO, address).number == -2201
    asked = terminal.iReadCard_HSM_Step1(1, INFO, address)
    assert asked.out.split("|")[:2] == ["01", key]
    answer = terminal.iReadCard_HSM_Step2(hsm().external(NAME, asked.out))
    assert answer.number == 0
    assert answer == call_with_hsm(terminal, hsm(), "iReadCard", 1, 2, INFO, address)


def test_a_file_is_written_in_steps() -> None:
    terminal = keyless(specimen())
    written = "SSSEEF06|李四|$"
    assert call_with_hsm(terminal, hsm(), "iWriteCard", 1, INFO, "SSSEEF06|09|$", written) == (0, "")
    assert terminal.iReadCard(1, 2, INFO, "SSSEEF06|09|$").out == written


@pytest.mark.parametrize(("variant", "header", "digits"), [("", "842400010C", 34), ("+sm4", "8424000114", 50)])
def test_a_pin_is_reloaded_in_three_steps(variant: str, header: str, digits: int) -> None:
    image = third_generation(variant)
    card, module = EmulatedCard(image), hsm(variant)
    terminal = MinistryTerminal(card, None, Typing(new=OWN))
    name = CardName(*terminal.iReadCardBas_HSM_Step1(1).out.split("|")[:2])
    asked = terminal.iReloadPIN_HSM_Step1(1, info_of(image))
    assert asked.out.split("|")[1] == "0090"
    protected = terminal.iReloadPIN_HSM_Step2(module.external(name, asked.out))
    mark, address, factor, head, pin, _ = protected.out.split("|")
    assert (mark, address, len(factor), head, pin) == (asked.out[:2], "0173", 16, header, OWN)
    command = module.command(name, protected.out)
    assert len(command) == digits
    assert terminal.iReloadPIN_HSM_Step3(command) == (0, "")
    assert MinistryTerminal(card, None, Typing(OWN)).iVerifyPIN(1).number == 0


def test_a_pin_is_unblocked_in_three_steps() -> None:
    card = EmulatedCard(specimen())
    wrong = MinistryTerminal(card, None, Typing("999999"))
    assert [wrong.iVerifyPIN(1).number for _ in range(4)] == [-51, -51, -51, -52]
    asked = wrong.iUnblockPIN_HSM_Step1(1, INFO)
    protected = wrong.iUnblockPIN_HSM_Step2(hsm().external(NAME, asked.out))
    assert protected.out.split("|")[3:] == ["8424000004", ""]
    command = hsm().command(NAME, protected.out)
    assert len(command) == 18
    assert wrong.iUnblockPIN_HSM_Step3(command) == (0, "")
    assert card.image.pins[PIN_ADDRESS].tries_left == 3


def test_a_debit_in_steps_has_a_mac_that_others_make_too() -> None:
    card = EmulatedCard(with_own_pin())
    terminal = MinistryTerminal(card, None, Typing(OWN))
    asked = terminal.iDoDebit_HSM_Step1(1, INFO, PAYMENT)
    mark, address, random, sequence, first, second, sold, when, end = asked.out.split("|")
    assert (mark, address, sequence, first, second, sold, when, end) == (
        "01", "4200", "0000", "0000000A", "00000014", "32000000000000", "20240101120000", "",
    )  # fmt: skip
    results = hsm().purchase(NAME, asked.out)
    number, moment, mac1, _ = results.split("|")
    session = tdes(CARD_KEY, bytes.fromhex(random + sequence + sequence))
    assert mac1 == mac(session, bytes.fromhex(f"{first}{second}00000000{sold}{when}")).hex().upper()
    assert (number, moment) == ("0000" + sequence, when)
    answer = terminal.iDoDebit_HSM_Step2(results)
    assert answer.number == 0
    signed = f"{first}{second}00000000{sold}{number}{when}"
    assert answer.out.split("|")[8] == mac(fold(CARD_KEY), bytes.fromhex(signed)).hex().upper()
    assert card.image.purses[DF04 + b"\x01"].balance_fen == 990


def test_a_lost_answer_of_a_debit_in_steps_is_asked_for_again() -> None:
    faulty = Faults("lose@DEBIT FOR PURCHASE (medical)").on(EmulatedCard(with_own_pin()))
    terminal = MinistryTerminal(faulty, None, Typing(OWN))
    asked = terminal.iDoDebit_HSM_Step1(1, INFO, PAYMENT)
    assert terminal.iDoDebit_HSM_Step2(hsm().purchase(NAME, asked.out)).number == 0
    assert faulty.struck


def test_another_card_between_two_steps() -> None:
    """Put in unseen; and with the reader noticing that the first one went."""
    first, second = EmulatedCard(specimen()), EmulatedCard(third_generation())
    tray = [first, second]
    slot = Slot(lambda: tray[0])
    terminal = MinistryTerminal(slot, None, Typing())
    for notices in (False, True):
        tray[:] = [first, second]
        slot.close()
        first.reset()
        asked = terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$")
        assert asked.number == 0
        tray.reverse()
        if notices:
            first.close()
        else:
            slot.link = second
        before = second.image
        second.reset()
        assert terminal.iReadCard_HSM_Step2(hsm().external(NAME, asked.out)).number == -22
        assert second.image == before


def test_the_same_card_lost_between_two_steps_must_begin_again() -> None:
    faulty = Faults("mute@EXTERNAL AUTHENTICATE").on(EmulatedCard(specimen()))
    terminal = MinistryTerminal(faulty, None, Typing())
    asked = terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$")
    results = hsm().external(NAME, asked.out)
    assert terminal.iReadCard_HSM_Step2(results).number == -4
    assert terminal.iReadCard_HSM_Step2(results).number == -12
    again = call_with_hsm(terminal, hsm(), "iReadCard", 1, 2, INFO, "DF02EF15|0F|$")
    assert again.number == 0


def test_another_call_between_two_steps_ends_them() -> None:
    terminal = keyless(specimen())
    asked = terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$")
    assert terminal.iReadCardBas(1).number == 0
    assert terminal.iReadCard_HSM_Step2(hsm().external(NAME, asked.out)).number == -12
    asked = terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$")
    assert terminal.iWriteCard_HSM_Step2(hsm().external(NAME, asked.out), "DF02EF15|20200101|$").number == -12


def test_the_module_knows_what_it_was_asked() -> None:
    for asked in ("", "01|0064|", "01|0064|zz|00|", "09|0064|00|00|", "01|FFFF|1122334455667788|0000000000000000|"):
        with pytest.raises(UnknownRequest):
            hsm().external(NAME, asked)
    for asked in ("01|0173|1122334455667788|842400010C|12|", "01|0173|1122334455667788|8416000004|"):
        with pytest.raises(UnknownRequest):
            hsm().command(NAME, asked)


def test_no_repeated_use_where_no_module_is_wanted() -> None:
    card = EmulatedCard(funded(0))
    assert call_with_hsm(MinistryTerminal(card, None, Typing()), hsm(), "iVerifyPIN", 1) == (0, "")
    assert call_with_hsm(MinistryTerminal(card, None, Typing()), hsm(), "iReadCard", 1, 1, INFO, "X").number == -23
