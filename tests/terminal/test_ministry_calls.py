"""The ministry's calls at their best: what they answer, word for word, and what they leave on the card."""

from __future__ import annotations

import pytest

from card.cards import CARD_KEY, DF04, SSSE, funded, specimen
from card.oracle import fold, mac
from kaguan.card_os.image import CardImage
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.terminal.ministry import MinistryTerminal, PinPurpose, parse_settings
from terminal.office import (
    BASIC,
    IDENT_CODE,
    INFO,
    INITIAL,
    OWN,
    PAYMENT,
    Typing,
    info_of,
    psam,
    third_generation,
    with_own_pin,
)

TERMINAL = "200101000001"


def at_specimen(image: CardImage | None = None, pad: Typing | None = None, *, module: bool = True) -> MinistryTerminal:
    return MinistryTerminal(EmulatedCard(image or specimen()), psam() if module else None, pad or Typing())


def test_who_the_card_and_its_holder_are() -> None:
    """The sample of the interface, but for the specification of the card."""
    answer = at_specimen(module=False).iReadCardBas(3)
    assert (answer.number, answer.out) == (0, BASIC)
    assert bytes(answer).startswith(
        b"990100|990101199003070015|A00000011|990100D15600000501000001F846174E|\xd5\xc5\xc8\xfd|"
    )


def test_a_terminal_with_a_module_names_itself() -> None:
    terminal = MinistryTerminal(EmulatedCard(specimen()), psam(), device="DESK-1")
    assert terminal.iReadCardBas(1).out.split("|")[-3:] == [TERMINAL, "DESK-1", ""]


def test_a_card_of_the_third_generation_shows_its_holder_to_a_module() -> None:
    fields = at_specimen(third_generation()).iReadCardBas(1).out.split("|")
    assert (fields[1], fields[4], fields[6]) == ("990101199003070015", "张三", "3.00")


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("SSSEEF05|01|07|$", f"SSSEEF05|{IDENT_CODE}|A00000011|$"),
        ("MFEF05|07|$", "MFEF05|A00000011|$"),
        ("3F00EF06|08|09|4E|0A|0B|0C|0D|$", "3F00EF06|990101199003070015|张三||1|01|990101|19900307|$"),
        ("DF02EF15|99:01|0F|$", "DF02EF15|101,20200201,990101|20200201|$"),
        ("DF02EF15|99:02|$", "DF02EF15||$"),
        ("DF01EF05|20|$DF01EF06|24|$", "DF01EF05|10|$DF01EF06|990100|$"),
        ("DF04EF06|90|92|93|$", "DF04EF06|0|00012345|01|$"),
    ],
)
@pytest.mark.parametrize("authentication", [1, 2])
def test_files_are_read_in_the_form_of_their_address(address: str, data: str, authentication: int) -> None:
    assert at_specimen().iReadCard(1, authentication, INFO, address) == (0, data)


def test_what_is_shown_first_is_the_callers_choice() -> None:
    """DF01 to DF03 take the PIN or a key, DF04 EF06 both."""
    for authentication, asked in ((1, [PinPurpose.CURRENT]), (2, [])):
        pad = Typing()
        assert at_specimen(pad=pad).iReadCard(1, authentication, INFO, "DF02EF15|0F|$DF03EF05|60|$").number == 0
        assert pad.asked == asked
    pad = Typing()
    assert at_specimen(pad=pad).iReadCard(1, 2, INFO, "DF04EF06|90|$DF01EF05|20|$").number == 0
    assert pad.asked == [PinPurpose.CURRENT]


def test_without_a_module_a_pin_is_enough_where_the_card_takes_it() -> None:
    assert at_specimen(module=False).iReadCard(1, 1, INFO, "DF02EF15|0F|$") == (0, "DF02EF15|20200201|$")


def test_a_write_changes_exactly_its_files() -> None:
    terminal = at_specimen()
    card = terminal._card
    assert isinstance(card, EmulatedCard)
    data = (
        f"SSSEEF05|{IDENT_CODE}|3|2.00|915600000299010099010000|20250101|20350101|A00000011|$"
        "SSSEEF06|990101199003070015|李四|$"
    )
    before = card.image
    assert terminal.iWriteCard(1, INFO, "SSSEEF05|01|02|03|04|05|06|07|$SSSEEF06|08|09|$", data) == (0, "")
    files = {address for address, file in card.image.files.items() if before.files[address] != file}
    assert files == {SSSE + b"\xef\x05", SSSE + b"\xef\x06"}
    assert before._replace(files=card.image.files) == card.image
    fields = terminal.iReadCardBas(1).out.split("|")
    assert (fields[4], fields[7], fields[8]) == ("李四", "20250101", "20350101")


def test_nested_records_and_cyclic_files_are_written_too() -> None:
    terminal = at_specimen()
    address = "DF02EF15|99:02|1F|$DF04EF15:01$"
    written = "DF02EF15|102,20210301,990102|990102|$DF04EF15:0007,2$"
    assert terminal.iWriteCard(1, INFO, address, written) == (0, "")
    assert terminal.iReadCard(1, 1, INFO, address) == (0, written)
    assert terminal.iReadCard(1, 1, INFO, "DF02EF15|99:01|$").out == "DF02EF15|101,20200201,990101|$"


def test_the_pin_is_verified_changed_unblocked_and_reloaded() -> None:
    card = EmulatedCard(specimen())
    assert MinistryTerminal(card, None, Typing()).iVerifyPIN(3) == (0, "")
    assert MinistryTerminal(card, None, Typing(new=OWN)).iChangePIN(3) == (0, "")
    assert MinistryTerminal(card, None, Typing(OWN)).iVerifyPIN(3) == (0, "")
    wrong = MinistryTerminal(card, psam(), Typing("999999", new="135791"))
    assert [wrong.iVerifyPIN(1).number for _ in range(4)] == [-51, -51, -51, -52]
    assert wrong.iUnblockPIN(1, INFO) == (0, "")
    assert MinistryTerminal(card, None, Typing(OWN)).iVerifyPIN(3) == (0, "")
    assert wrong.iReloadPIN(1, INFO) == (0, "")
    assert MinistryTerminal(card, None, Typing("135791")).iVerifyPIN(3) == (0, "")


def test_a_debit_from_end_to_end() -> None:
    """The TAC is made again by psec, from the fields that the profile names, with the card's own key."""
    card = EmulatedCard(with_own_pin())
    terminal = MinistryTerminal(card, psam(), Typing(OWN))
    number, out = terminal.iDoDebit(1, INFO, PAYMENT)
    assert number == 0
    *fields, tac, _mac2, end = out.split("|")
    assert fields == ["0000", "2", TERMINAL, "20240101120000", "00000010", "00000020", "00000000", "00000001"]
    signed = "0000000A" + "00000014" + "00000000" + "32" + TERMINAL + "00000001" + "20240101120000"
    assert (tac, end) == (mac(fold(CARD_KEY), bytes.fromhex(signed)).hex().upper(), "")
    purse = card.image.purses[DF04 + b"\x01"]
    assert (purse.balance_fen, purse.offline_sequence) == (990, 1)
    record = f"0000|2|{TERMINAL}|20240101120000|00000010|00000020|00000000|$"
    assert terminal.iReadDebitRecord(1) == (0, record)
    assert terminal.iDoDebit(1, INFO, "1|0|20240102120000|").number == 0
    assert terminal.iReadDebitRecord(1).out == (
        f"0001|2|{TERMINAL}|20240102120000|00000100|00000000|00000000|$" + record
    )
    again = f"DF04EF08:0000,2,{TERMINAL},20240101120000,00000010,00000020,00000000$"
    assert terminal.iReadCard(1, 1, INFO, "DF04EF08:02$") == (0, again)


def test_nothing_was_bought_yet() -> None:
    assert at_specimen().iReadDebitRecord(1) == (0, "")


def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    """The card has paid: the call says so, with the TAC that the card proves."""
    whole = MinistryTerminal(EmulatedCard(with_own_pin()), psam(), Typing(OWN)).iDoDebit(1, INFO, PAYMENT)
    card = EmulatedCard(with_own_pin())
    faulty = Faults("lose@DEBIT FOR PURCHASE (medical)").on(card)
    answer = MinistryTerminal(faulty, psam(), Typing(OWN)).iDoDebit(1, INFO, PAYMENT)
    assert faulty.struck
    assert answer.number == 0
    assert answer.out.split("|")[:9] == whole.out.split("|")[:9]
    assert card.image.purses[DF04 + b"\x01"].balance_fen == 990


def test_a_card_that_has_not_paid_when_it_was_lost_is_not_said_to_have() -> None:
    card = EmulatedCard(with_own_pin())
    faulty = Faults("remove@DEBIT FOR PURCHASE (medical)").on(card)
    assert MinistryTerminal(faulty, psam(), Typing(OWN)).iDoDebit(1, INFO, PAYMENT).number == -2
    assert card.image.purses[DF04 + b"\x01"].balance_fen == 1_000


def test_what_a_site_sets_otherwise() -> None:
    settings = parse_settings(
        """
        [authentications]
        7 = "pin"
        [debit]
        shares = ["self-paid", "pool"]
        answer = ["tac"]
        [pin]
        may_pay_with_initial = true
        may_become_initial = true
        [basic]
        genuine = "always"
        """
    )
    card = EmulatedCard(funded(1_000))
    terminal = MinistryTerminal(card, psam(), Typing(new=INITIAL), settings=settings)
    assert terminal.iReadCard(1, 7, INFO, "DF01EF05|20|$").number == 0
    assert len(terminal.iDoDebit(1, INFO, PAYMENT).out) == 9
    assert card.image.purses[DF04 + b"\x01"].balance_fen == 1_000
    assert terminal.iReadDebitRecord(1).out.split("|")[4:7] == ["00000000", "00000010", "00000020"]
    assert terminal.iChangePIN(1).number == 0
    assert MinistryTerminal(card, settings=settings).iReadCardBas(1).number == -2201


def test_no_right_outlives_its_call() -> None:
    card = EmulatedCard(specimen())
    assert MinistryTerminal(card, psam(), Typing()).iVerifyPIN(1).number == 0
    assert MinistryTerminal(card).iReadCard(1, 1, INFO, "DF02EF15|0F|$").number == -31


def test_the_third_generation_is_written_like_the_second() -> None:
    image = third_generation()
    terminal = MinistryTerminal(EmulatedCard(image), psam(), Typing())
    assert terminal.iWriteCard(1, info_of(image), "SSSEEF06|09|$", "SSSEEF06|王五|$") == (0, "")
    assert terminal.iReadCard(1, 2, info_of(image), "SSSEEF06|09|$") == (0, "SSSEEF06|王五|$")
