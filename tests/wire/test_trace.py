"""Traces: what is told, what is hidden, and that each form says the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu.errors import CardLost
from kaguan.apdu.instruction import INSTRUCTIONS
from kaguan.apdu.redaction import redacted
from kaguan.apdu.tape import Pattern, Replay, Verdict, parse, run
from kaguan.apdu.trace import (
    EventKind,
    TapeWriter,
    TraceEvent,
    as_tape,
    compare,
    gsmtap_packet,
    jsonl_line,
    read_jsonl,
    traced,
)
from kaguan.apdu.trace.gsmtap import MOST_BYTES
from kaguan.apdu.trace.jsonl import TraceError

ATR = bytes.fromhex("3B6D00")
SECRET_INS = sorted({row.ins for row in INSTRUCTIONS if row.secret})
LOST = 0xFF


class Echo:
    """Answers with what it hears, and 9000; INS FF loses it."""

    atr = ATR

    def transceive(self, command: bytes) -> bytes:
        if command[1] == LOST:
            raise CardLost("FF")
        return command[5:] + b"\x90\x00"

    def reset(self) -> bytes:
        return ATR

    def close(self) -> None:
        pass


class Ticks:
    """A clock that moves ten microseconds whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        self.now += 10
        return self.now


COMMANDS = st.binary(min_size=4, max_size=12).filter(lambda raw: raw[1] not in {*SECRET_INS, LOST, 0xC0})
SAID = st.lists(st.tuples(st.integers(0, 1), COMMANDS | st.none()), max_size=12)


def events_of(said: list[tuple[int, bytes | None]]) -> tuple[list[TraceEvent], list[bytes]]:
    events: list[TraceEvent] = []
    links = traced([Echo(), Echo()], events.append, Ticks())
    return events, [links[card].reset() if raw is None else links[card].transceive(raw) for card, raw in said]


@given(SAID)
def test_what_is_recorded_replays_and_runs(said: list[tuple[int, bytes | None]]) -> None:
    events, heard = events_of(said)
    text: list[str] = []
    writer = TapeWriter(text.append)
    for event in events:
        writer(event)
    tape = parse("".join(text))

    again = Replay(tape)
    doubles = again.link(0), again.link(1)
    assert [double.atr for double in doubles] == [ATR, ATR]
    assert [doubles[card].reset() if raw is None else doubles[card].transceive(raw) for card, raw in said] == heard
    again.finish()
    assert all(exchange.verdict is Verdict.MATCHED for exchange in run(tape, [Echo(), Echo()]))


@given(SAID)
def test_the_canonical_form_gives_back_every_event(said: list[tuple[int, bytes | None]]) -> None:
    events, _ = events_of(said)
    lines = [jsonl_line(event) for event in events]
    assert list(read_jsonl(lines)) == events
    assert [jsonl_line(event) for event in read_jsonl(lines)] == lines


def test_times_count_from_the_beginning() -> None:
    events, _ = events_of([(0, bytes.fromhex("0084000008"))])
    assert [event.kind for event in events] == [EventKind.OPENED, EventKind.OPENED, EventKind.EXCHANGE]
    assert all(0 <= one.at_us < other.at_us for one, other in pairwise(events))
    assert events[-1].took_us > 0


@given(st.integers(0, 255), st.sampled_from(SECRET_INS), st.integers(0, 255), st.binary(min_size=4, max_size=40))
def test_a_secret_reaches_no_form(cla: int, ins: int, p1: int, secret: bytes) -> None:
    command = bytes((cla, ins, p1, 0, len(secret))) + secret
    shown = redacted(command)
    assert shown.matches(command)
    assert str(shown) == command[:5].hex().upper() + "XX" * len(secret)
    assert shown.value == command[:5] + bytes(len(secret))
    event = TraceEvent(EventKind.EXCHANGE, command=shown, response=Pattern.exactly(b"\x90\x00"))
    assert secret not in gsmtap_packet(event) or not any(secret)
    for text in (repr(event), jsonl_line(event)):
        assert f"00{len(secret):02X}{secret.hex().upper()}" not in text


def test_what_a_module_deciphers_is_hidden_also_behind_get_response() -> None:
    class Module(Echo):
        def transceive(self, command: bytes) -> bytes:
            return b"\x61\x08" if command[1] == 0xFA else bytes.fromhex("1122334455667788") + b"\x90\x00"

    events: list[TraceEvent] = []
    (link,) = traced([Module()], events.append, Ticks())
    link.transceive(bytes.fromhex("80FA000008") + bytes(range(8)))
    link.transceive(bytes.fromhex("00C0000008"))
    link.transceive(bytes.fromhex("0084000008"))
    assert [str(event.response) for event in events[1:]] == ["6108", "XX" * 8 + "9000", "11223344556677889000"]


@pytest.mark.parametrize("raw", ["", "00", "0020", "00200000", "0020000003", "002000000312", "0020000000000312345678"])
def test_commands_cut_short_can_be_shown(raw: str) -> None:
    command = bytes.fromhex(raw)
    assert redacted(command).matches(command)
    assert str(redacted(command)) == raw[:10] + "X" * len(raw[10:])


def test_a_lost_card_is_told_and_is_a_comment_on_the_tape() -> None:
    events: list[TraceEvent] = []
    (link,) = traced([Echo()], events.append, Ticks())
    with pytest.raises(CardLost):
        link.transceive(bytes.fromhex("00FF0000"))
    assert (events[-1].kind, events[-1].text[:9]) == (EventKind.LOST, "CardLost:")
    assert len(as_tape(events).statements) == 1


def test_a_fault_and_the_end_are_told() -> None:
    events: list[TraceEvent] = []
    tellers: list[Callable[[str], object]] = []

    class Faulty(Echo):
        def tell_faults_to(self, tell: Callable[[str], object]) -> None:
            tellers.append(tell)

    (link,) = traced([Faulty()], events.append, Ticks())
    tellers[0]("the power fails at write 3")
    link.close()
    link.close()
    assert [event.kind for event in events] == [EventKind.OPENED, EventKind.FAULT, EventKind.CLOSED]
    assert json.loads(jsonl_line(events[1]))["text"] == "the power fails at write 3"


@given(SAID, SAID)
def test_differences_are_those_of_what_was_said(
    one: list[tuple[int, bytes | None]], other: list[tuple[int, bytes | None]]
) -> None:
    left, right = events_of(one)[0], events_of(other)[0]
    found = list(compare(left, right))
    assert bool(found) == (one != other)
    assert not list(compare(left, left))
    assert len(one) - sum(each.left is not None for each in found) == len(other) - sum(
        each.right is not None for each in found
    )


def test_a_different_answer_is_a_difference_and_a_hidden_one_is_not() -> None:
    def said(response: str) -> list[TraceEvent]:
        return [TraceEvent(EventKind.EXCHANGE, command=Pattern.of("0084000004"), response=Pattern.of(response))]

    (found,) = compare(said("112233449000"), said("112233459000"))
    assert (found.left_number, found.right_number) == (1, 1)
    assert not list(compare(said("112233449000"), said("XXXXXXXX9000")))
    assert list(compare(said("112233449000"), said("6700")))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("no json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected an object"),
        ("{}", "'event' is none of opened, reset"),
        ('{"event":"exchange","comand":"00"}', "unknown key 'comand'"),
        ('{"event":"exchange","command":"0"}', "'command' is no hex"),
        ('{"event":"exchange","command":"00*"}', "'command' is no hex"),
        ('{"event":"exchange","command":7}', "'command' is no text"),
        ('{"event":"exchange","card":-1}', "'card' is no count"),
        ('{"event":"exchange","card":true}', "'card' is no count"),
        ('{"event":["exchange"]}', "'event' is no text"),
    ],
)
def test_a_line_that_is_no_event(line: str, complaint: str) -> None:
    good = jsonl_line(TraceEvent(EventKind.RESET))
    with pytest.raises(TraceError, match=rf"^t\.jsonl:3: .*{re.escape(complaint)}"):
        list(read_jsonl([good, "\n", line], file="t.jsonl"))


def test_an_exchange_longer_than_a_packet_is_cut() -> None:
    longest = TraceEvent(EventKind.EXCHANGE, command=Pattern.exactly(bytes(5)), response=Pattern.exactly(bytes(65_538)))
    assert len(gsmtap_packet(longest)) == 16 + 65_535
    assert 65_400 < MOST_BYTES < 65_535
