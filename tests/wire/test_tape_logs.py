"""Tapes as logs are: a mark before the command, the answer on a line of its own with the status word last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import InputError, TapeError
from kaguan.apdu.tape import Tape, Verdict, parse, run
from kaguan.apdu.tape.model import Reset, Send
from kaguan.apdu.tape.scope import Scope
from wire.test_tape_run import ATR, Echo

LOG = """
> .reset
< 3B6D00000081544C928684420100000135
# a remark between them
> 00 d6 00 00 02 a1 b2
< A1B2 9000
> 0084000008

< XXXXXXXXXXXXXX01 90 00 -> R      // wildcards, and a part kept
00D6000008${R}
<${R} 9000
> 00B0000000
< 6700
> 00D6000003 112233
< 11 * 9000
> 00D6000003 112233
< * 9000
"""


def sends(text: str) -> list[Send]:
    return [statement for statement in parse(text).statements if isinstance(statement, Send)]


@pytest.mark.parametrize(
    ("asks", "answers"),
    [
        (">", "<"),
        (">>", "<<"),
        ("=>", "<="),
        ("->", "<-"),
        ("send:", "receive:"),
        ("Send :", "Recv:"),
        ("发送：", "接收:"),
    ],
)
def test_marks_of_many_logs(asks: str, answers: str) -> None:
    (send,) = sends(f"{asks} 00D6000001 A1 ; time: 15\n{answers}A1 9000 ;time:0")
    assert _wanted(send) == (b"\xa1", "(9000)")


def test_a_log_is_a_tape() -> None:
    exchanges = list(run(parse(LOG), [Echo()]))
    assert [exchange.verdict for exchange in exchanges] == [Verdict.MATCHED] * 7
    assert exchanges[0].response == ATR


def _wanted(send: Send) -> tuple[bytes | None, str]:
    assert send.data is not None
    return Scope({}, {}).pattern(send.data).exact, str(send.statuses)


@given(data=st.binary(max_size=60), word=st.integers(0, 0xFFFF), gaps=st.booleans())
def test_an_answer_line_says_what_brackets_say(data: bytes, word: int, gaps: bool) -> None:
    said = f"{data.hex(' ') if gaps else data.hex()} {word:04X}"
    line, brackets = sends(f"> 0084000000\n< {said}"), sends(f"0084000000 [{data.hex()}] ({word:04X})")
    assert [_wanted(send) for send in line] == [_wanted(send) for send in brackets] == [(data, f"({word:04X})")]


@pytest.mark.parametrize("form", ["= 9000", "=9000", "(9000)", "SW: 9000", "SW=9000", "sw 9000", "sw:9000", "=", "SW"])
def test_a_status_word_is_told_in_many_ways(form: str) -> None:
    (send,) = sends(f"00A40000023F00 {form}")
    assert send.statuses is not None
    assert str(send.statuses) == "(9000)"
    assert send.data is None


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        ("< 9000", (1, 1), "an answer to nothing"),
        ("> 0084000004 (9000)\n< 01020304 9000", (2, 1), "an answer to nothing"),
        ("> 0084000004\n< 9000\n< 9000", (3, 1), "an answer to nothing"),
        (".card 1\n< 9000", (2, 1), "an answer to nothing"),
        (".repeat 2\n< 9000\n.end", (2, 1), "an answer to nothing"),
        ("> 0084000004\n< 90", (2, 1), "ends with its status word"),
        ("> 0084000004\n< 01020304 ${R}", (2, 1), "ends with its status word"),
        ("> 0084000004\n< 01020304 *", (2, 1), "ends with its status word"),
        ("> 0084000004\n< * 0102 9000", (2, 1), "all that follows"),
        ("> 0084000004\n< 010 9000", (2, 3), "no whole bytes"),
        ("> 0084000004\n<", (2, 2), "expected"),
        (">", (1, 2), "expected"),
        ("> > 0084000004", (1, 3), "expected"),
    ],
)
def test_what_is_no_answer_is_told_with_its_place(text: str, place: tuple[int, int], complaint: str) -> None:
    with pytest.raises(TapeError, match=complaint) as told:
        parse(text, file="log")
    assert (told.value.line, told.value.column) == place


def test_a_reset_is_answered_by_its_atr_whole() -> None:
    (reset,) = parse("> .reset\n< 3B00").statements
    assert isinstance(reset, Reset)
    with pytest.raises(TapeError, match=r"expected \[3B00\], received \[3B6D"):
        list(run(parse("> .reset\n< 3B00"), [Echo()]))
    assert len(list(run(parse("> .reset\n< 3B6D *"), [Echo()]))) == 1


def test_what_differs_is_told_from_where_on() -> None:
    with pytest.raises(TapeError, match=r"log:2:1: expected \[112234\], received \[112233\] 9000 .*from byte 2 on"):
        list(run(parse("> 00D6000003112233\n< 112234 9000", file="log"), [Echo()]))


def test_what_an_emulated_card_lacks_is_told_with_the_place() -> None:
    class Unlucky(Echo):
        def transceive(self, command: bytes) -> bytes:
            raise InputError("no more random numbers")

    with pytest.raises(TapeError, match="log:2:1: no more random numbers"):
        list(run(Tape(parse("\n0084000004", file="log").statements, "log"), [Unlucky()]))
