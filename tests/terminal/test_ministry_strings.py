"""Whatever a caller sends: a number, no exception, and not a byte on the card that should not be there."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from card.cards import specimen
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.ministry import CALLS, Call, CallFailed, MinistryTerminal, arguments
from kaguan.terminal.ministry.messages import reply
from kaguan.terminal.ministry.strings import (
    FieldAddress,
    FileAddress,
    data_text,
    parse_card_info,
    parse_cryptograms,
    parse_data,
    parse_file_addresses,
    parse_pay_info,
)
from terminal.office import INFO, PAYMENT, Typing, psam

ADDRESS = "SSSEEF06|09|0D|$DF02EF15|99:02|$DF04EF15:01$"
DATA = "SSSEEF06|李四|19900307|$DF02EF15|101,20200201,990101|$DF04EF15:0001,2$"

hostile = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="|$:,0123456789ABCDEFMSX张\0\ud800", max_size=60),
    st.builds(
        lambda whole, at, drop, put: whole[: at % len(whole)] + put + whole[at % len(whole) + drop :],
        st.sampled_from([INFO, ADDRESS, DATA, PAYMENT]),
        st.integers(0, 200),
        st.integers(0, 3),
        st.text(alphabet="|$:0A\ud800张\n", max_size=3),
    ),
)


def at_card() -> tuple[EmulatedCard, MinistryTerminal]:
    card = EmulatedCard(specimen())
    return card, MinistryTerminal(card, psam(), Typing())


def is_whole(text: str, parse: object) -> bool:
    try:
        parse(text)  # type: ignore[operator]
    except CallFailed:
        return False
    return True


@given(hostile)
@example(INFO + "|")
@example(INFO.replace("9", "９", 1))
def test_any_card_information(text: str) -> None:
    card, terminal = at_card()
    before = card.image
    for answer in (
        terminal.iReadCard(1, 1, text, "SSSEEF05|01|$"),
        terminal.iWriteCard(1, text, ADDRESS, DATA),
        terminal.iReloadPIN_HSM_Step1(1, text),
    ):
        assert text == INFO or answer.number in (-20, -22, -23)
    assert text == INFO or card.image == before


@given(hostile)
@example("SSSEEF06|09|$" * 3_000)
@example("SSSEEF06|$")
@example("SSSEEF06|09:00|$")
@example("DF04EF08:0B$")
def test_any_file_address(text: str) -> None:
    card, terminal = at_card()
    before = card.image
    read = terminal.iReadCard(1, 1, INFO, text)
    written = terminal.iWriteCard(1, INFO, text, DATA)
    assert read.number in (0, -23, -0x6A82, -0x6A83, -0x6981)
    if written.number:
        assert card.image == before
    else:
        assert parse_data(DATA, parse_file_addresses(text))
    if not is_whole(text, parse_file_addresses):
        assert read.number == -23


@given(hostile)
@example(DATA.replace("李四", "王" * 16))
@example(DATA.replace("101,", "101,,,,,"))
@example(DATA.replace("李四", "李\0四"))
def test_any_data_is_written_wholly_or_not_at_all(text: str) -> None:
    card, terminal = at_card()
    before = card.image
    answer = terminal.iWriteCard(1, INFO, ADDRESS, text)
    assert answer.number in (0, -23)
    if answer.number:
        assert card.image == before
    else:
        parse_data(text, parse_file_addresses(ADDRESS))
        assert terminal.iReadCard(1, 2, INFO, ADDRESS).number == 0


@given(hostile)
def test_any_payment(text: str) -> None:
    card, terminal = at_card()
    before = card.image.purses
    answer = terminal.iDoDebit(1, INFO, text)
    assert answer.number == (-35 if is_whole(text, parse_pay_info) else -23)
    assert card.image.purses == before


@given(hostile)
def test_any_result_of_a_module(text: str) -> None:
    card, terminal = at_card()
    assert terminal.iReadCard_HSM_Step1(1, INFO, "DF02EF15|0F|$").number == 0
    number = terminal.iReadCard_HSM_Step2(text).number
    if number not in (-41, -42):  # a result in form, and a wrong one: the card itself has refused it
        assert re.fullmatch("[0-9A-Fa-f]{16,}.*", text)
        assert 0x63C0 <= -number <= 0x63CF
        return
    assert terminal.iReadCardBas_HSM_Step1(1).number == 0
    assert terminal.iReadCardBas_HSM_Step2(text).number in (-41, -42)
    assert card.image == specimen()


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=10), st.lists, max_leaves=5), hostile)
def test_any_message_is_answered(value: object, text: str) -> None:
    card, terminal = at_card()
    calls = ({"function": value}, {"function": "iReadCardBas", "iType": value})
    for message in (text, json.dumps(value), *map(json.dumps, calls)):
        answer = json.loads(reply(terminal, message))
        assert set(answer) == {"functionName", "success", "errorno", "pOutInfo"}
        assert answer["success"] == (1 if answer["errorno"] == 0 else answer["errorno"])
    assert card.image == specimen()


def test_the_samples_of_the_interface_are_taken_apart() -> None:
    assert parse_file_addresses("SSSEEF05|01|$DF04EF08:01$DF02EF15|99:01|0F|$") == (
        FileAddress("SSSEEF05", "SSSE", "EF05", (FieldAddress(0x01, 1),)),
        FileAddress("DF04EF08", "DF04", "EF08", (), 1),
        FileAddress("DF02EF15", "DF02", "EF15", (FieldAddress(0x99, 1), FieldAddress(0x0F, 1))),
    )
    assert parse_card_info(INFO).card_no == "A00000011"
    assert parse_card_info(INFO[:24] + INFO[32:]).ident_code == "990100D15600000501000001"
    pay = parse_pay_info(PAYMENT)
    assert (pay.amounts_fen, pay.when.isoformat()) == ((10, 20), "2024-01-01T12:00:00")
    assert parse_cryptograms("01|0203|", 1, 2) == (b"\x01", b"\x02\x03")


@given(st.text(max_size=20))
def test_no_value_of_a_card_passes_for_a_separator(value: str) -> None:
    (address,) = parse_file_addresses("SSSEEF06|09|$")
    if {"|", "$"} & set(value):
        with pytest.raises(CallFailed):
            data_text(address, [value])
    else:
        assert parse_data(data_text(address, [value]), [address]) == ((value,),)


@pytest.mark.parametrize("call", CALLS.values(), ids=lambda call: call.name)
def test_every_call_has_numbers_and_texts_for_parameters(call: Call) -> None:
    named = {name.upper(): "1" if kind is int else "x" for name, kind in call.parameters.items()}
    assert arguments(call, named) == [1 if kind is int else "x" for kind in call.parameters.values()]
    assert getattr(MinistryTerminal, call.name).__doc__
