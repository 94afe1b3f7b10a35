"""The T=0 layers, against a small card that answers as ISO/IEC 7816-3, 12.2 has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.chaining import GetResponse, RightLe, T0Shape, response_cla
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import LinkError


class Card:
    """A link to a function from command to response, which remembers what it heard."""

    def __init__(self, answer: Callable[[CommandApdu], bytes]) -> None:
        self.answer = answer
        self.heard: list[CommandApdu] = []
        self.atr = b"\x3b\x00"
        self.closed = False

    def transceive(self, command: bytes) -> bytes:
        parsed = CommandApdu.parse(command)
        self.heard.append(parsed)
        return self.answer(parsed)

    def reset(self) -> bytes:
        self.heard.clear()
        return self.atr

    def close(self) -> None:
        self.closed = True


def t0_card(reply: bytes, portion: int) -> Card:
    """A T=0 card: 61xx after data, 6Cxx to a wrong Le, never more than `portion` bytes at once."""
    waiting = bytearray()

    def answer(command: CommandApdu) -> bytes:
        if command.ins != 0xC0:
            assert not command.data or command.ne is None, "T=0 carries data one way only"
            waiting[:] = reply
            if not reply:
                return b"\x90\x00"
            return bytes((0x61, min(len(waiting), portion) & 0xFF))
        now = min(len(waiting), portion)
        if command.ne != now:
            return bytes((0x6C, now & 0xFF))
        data = bytes(waiting[:now])
        del waiting[:now]
        return data + (bytes((0x61, min(len(waiting), portion) & 0xFF)) if waiting else b"\x90\x00")

    return Card(answer)


@given(reply=st.binary(max_size=1000), portion=st.integers(1, 256), data=st.binary(max_size=255))
def test_all_promised_bytes_arrive_in_order(reply: bytes, portion: int, data: bytes) -> None:
    link = GetResponse(RightLe(T0Shape(t0_card(reply, portion))))
    command = CommandApdu(0x00, 0xA4, 0x04, 0x00, data, 256)
    assert link.transceive(bytes(command)) == reply + b"\x90\x00"


@given(st.integers(0, 255), st.binary(min_size=1, max_size=20))
def test_get_response_goes_to_the_same_channel(cla: int, reply: bytes) -> None:
    card = t0_card(reply, 256)
    GetResponse(card).transceive(bytes(CommandApdu(cla, 0xA4, 0x04, 0x00, b"\x3f\x00")))
    assert bytes(card.heard[1]) == bytes((response_cla(cla), 0xC0, 0, 0, len(reply)))


@pytest.mark.parametrize(
    ("cla", "expected"),
    [
        (0x00, 0x00),
        (0x03, 0x03),
        (0x0C, 0x00),  # secure messaging is not chained
        (0x12, 0x02),  # nor is command chaining
        (0x45, 0x45),
        (0x6F, 0x4F),
        (0x80, 0x00),
        (0x84, 0x00),
        (0x82, 0x02),
        (0xB0, 0x00),
        (0xBF, 0x00),  # the PSAM's class: its low bits are no channel
        (0xE0, 0x00),
    ],
)
def test_cla_of_get_response(cla: int, expected: int) -> None:
    assert response_cla(cla) == expected


@given(st.binary(max_size=4), st.integers(0, 255))
def test_a_card_that_promises_for_ever_is_left(part: bytes, low: int) -> None:
    card = Card(lambda command: part + bytes((0x61, low)))
    with pytest.raises(LinkError, match="without end"):
        GetResponse(card).transceive(bytes.fromhex("00A4000000"))


@given(size=st.integers(1, 256), wrong=st.integers(1, 256))
def test_the_right_le_is_asked_for_once(size: int, wrong: int) -> None:
    reply = bytes(size)

    def answer(command: CommandApdu) -> bytes:
        return reply + b"\x90\x00" if command.ne == size else bytes((0x6C, size & 0xFF))

    card = Card(answer)
    assert RightLe(card).transceive(bytes(CommandApdu(0, 0xB0, 0, 0, ne=wrong))) == reply + b"\x90\x00"
    assert len(card.heard) == (1 if wrong == size else 2)


def test_a_second_wrong_le_is_passed_on() -> None:
    card = Card(lambda command: b"\x6c\x05")
    assert RightLe(card).transceive(bytes.fromhex("00B0000000")) == b"\x6c\x05"
    assert len(card.heard) == 2


@given(sw=st.integers(0, 0xFFFF).filter(lambda sw: sw >> 8 not in {0x61, 0x6C}), data=st.binary(max_size=256))
def test_other_answers_pass_untouched(sw: int, data: bytes) -> None:
    raw = data + sw.to_bytes(2, "big")
    card = Card(lambda command: raw)
    link = GetResponse(RightLe(T0Shape(card)))
    assert link.transceive(bytes.fromhex("00B0000000")) == raw
    assert len(card.heard) == 1


def test_t0_shape_leaves_the_61_of_a_plain_read_to_the_caller() -> None:
    link = T0Shape(Card(lambda command: b"\x61\x08"))
    assert link.transceive(bytes.fromhex("0084000008")) == b"\x61\x08"


def test_a_layer_passes_on_what_it_does_not_rule() -> None:
    card = Card(lambda command: b"\x90\x00")
    link = RightLe(card)
    link.transceive(bytes.fromhex("00840000"))
    assert link.atr == link.reset() == card.atr
    assert card.heard == []
    link.close()
    assert card.closed
