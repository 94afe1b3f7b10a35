"""Faults put in on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PIN, PIN_ADDRESS, SELECT_SSSE, SSSE, specimen
from kaguan.apdu.errors import CardLost, LinkError, NoCard
from kaguan.apdu.trace import EventKind, TraceEvent, traced
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Fault, FaultError, FaultKind, Faults
from kaguan.terminal.trace import read_trace
from terminal.doors import call, card_file

CHALLENGE = bytes.fromhex("0084000008")
ASK_TRIES = bytes.fromhex("0020000000")
WRONG_PIN = bytes.fromhex("0020000003654321")
VERIFY = bytes.fromhex("0020000003" + PIN)
SELECT = bytes.fromhex(SELECT_SSSE)


def card_with(*faults: str, seed: int = 0, slept: list[float] | None = None):
    card = EmulatedCard(specimen(), random=bytes)
    return card, Faults(*faults, seed=seed, sleep=(slept if slept is not None else []).append).on(card)


def tries(card: EmulatedCard) -> int:
    return card.image.pins[PIN_ADDRESS].tries_left


def test_without_its_turn_a_fault_changes_nothing() -> None:
    _, faulty = card_with("lose@9", "sw@VERIFY#2:6581", "mute@CARD BLOCK")
    plain = EmulatedCard(specimen(), random=bytes)
    for command in (SELECT, CHALLENGE, VERIFY, b"", b"\x00"):
        assert faulty.transceive(command) == plain.transceive(command)
    assert faulty.struck == []


def test_a_lost_answer_is_lost_after_the_card_did_it() -> None:
    card, faulty = card_with("lose@VERIFY")
    faulty.transceive(SELECT)
    before = tries(card)
    with pytest.raises(CardLost, match="during VERIFY"):
        faulty.transceive(WRONG_PIN)
    assert tries(card) == before - 1
    assert faulty.struck == ["the answer to VERIFY is lost"]
    faulty.transceive(WRONG_PIN)
    assert tries(card) == before - 2


def test_a_mute_card_hears_nothing_until_it_is_reset() -> None:
    card, faulty = card_with("mute@2")
    faulty.transceive(SELECT)
    before = tries(card)
    for _ in range(2):
        with pytest.raises(CardLost):
            faulty.transceive(WRONG_PIN)
    assert tries(card) == before
    assert len(faulty.struck) == 1
    assert faulty.reset() == card.atr
    assert faulty.transceive(SELECT)[0] == 0x61


def test_a_removed_card_is_no_card_until_it_is_put_in_again_and_has_forgotten() -> None:
    _, faulty = card_with("remove@3")
    faulty.transceive(SELECT)
    faulty.transceive(VERIFY)
    with pytest.raises(NoCard, match="pulled out"):
        faulty.transceive(CHALLENGE)
    faulty.reset()
    assert faulty.transceive(CHALLENGE)[-2:] == b"\x90\x00"


@pytest.mark.parametrize("writes", range(8))
def test_a_tear_leaves_the_tries_whole(writes: int) -> None:
    card, faulty = card_with(f"tear@VERIFY:{writes}")
    faulty.transceive(SELECT)
    before = tries(card)
    try:
        answer = faulty.transceive(WRONG_PIN)
    except CardLost:
        faulty.reset()
        assert tries(card) in (before, before - 1)
    else:
        assert answer == bytes((0x63, 0xC0 | before - 1))
    faulty.transceive(SELECT)
    left = tries(card)
    faulty.transceive(WRONG_PIN)
    assert tries(card) == left - 1


def test_a_wrong_status_word_hides_that_the_card_did_its_part() -> None:
    card, faulty = card_with("sw@VERIFY:6581")
    faulty.transceive(SELECT)
    before = tries(card)
    assert faulty.transceive(WRONG_PIN) == b"\x65\x81"
    assert tries(card) == before - 1


@given(st.integers(1, 80))
def test_a_garbled_answer_differs_in_so_many_bits(bits: int) -> None:
    _, faulty = card_with(f"garble:{bits}")
    plain = EmulatedCard(specimen(), random=bytes)
    good, bad = plain.transceive(CHALLENGE), faulty.transceive(CHALLENGE)
    assert len(good) == len(bad)
    assert (int.from_bytes(good, "big") ^ int.from_bytes(bad, "big")).bit_count() == bits


def test_late_answers_are_good_answers() -> None:
    slept: list[float] = []
    _, faulty = card_with("late:0.25", slept=slept)
    assert faulty.transceive(CHALLENGE)[-2:] == b"\x90\x00"
    assert faulty.transceive(CHALLENGE)[-2:] == b"\x90\x00"
    assert slept == [0.25, 0.25]


def test_a_worn_out_cell_answers_6581_and_keeps_what_it_held() -> None:
    card, faulty = card_with("worn:SSSE")
    faulty.transceive(SELECT)
    before = card.image
    assert faulty.transceive(WRONG_PIN) == b"\x65\x81"
    assert card.image == before
    other, faulty = card_with("worn:DF01")
    faulty.transceive(SELECT)
    assert faulty.transceive(WRONG_PIN)[0] == 0x63
    assert other.image.pins[SSSE + b"\0"].tries_left == tries(card) - 1


@given(st.integers(0, 2**32))
def test_the_same_seed_brings_the_same_consequences(seed: int) -> None:
    def run() -> list[object]:
        _, faulty = card_with("garble@20%", "lose@10%", "mute@5%", "tear@10%", "remove@5%", seed=seed)
        heard: list[object] = []
        for command in (SELECT, CHALLENGE, WRONG_PIN, VERIFY) * 5:
            try:
                heard.append(faulty.transceive(command))
            except LinkError as error:
                heard.append((str(error), faulty.reset()))
        return [*heard, *faulty.struck]

    assert run() == run()


def test_each_fault_shows_in_the_trace_before_its_consequence() -> None:
    _, faulty = card_with("lose@2")
    events: list[TraceEvent] = []
    (link,) = traced([faulty], events.append, lambda: 0)
    link.transceive(SELECT)
    with pytest.raises(CardLost):
        link.transceive(CHALLENGE)
    kinds = [event.kind for event in events]
    assert kinds == [EventKind.OPENED, EventKind.EXCHANGE, EventKind.FAULT, EventKind.LOST]
    assert events[2].text == "the answer to GET CHALLENGE is lost"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "none of tear"),
        ("explode@3", "'explode' is none of tear"),
        ("lose@0", "no command's name, no number"),
        ("lose@-1", "no command's name, no number"),
        ("lose@FLY", "'FLY' is no command's name"),
        ("lose@VERIFY#0", "'0' is no count"),
        ("lose@0%", "no probability"),
        ("lose@nan%", "no probability"),
        ("lose@101%", "no probability"),
        ("lose:1", "'1' is not what lose takes: nothing"),
        ("sw@2:90", "status word of 4 hex digits"),
        ("sw@2:zz", "status word of 4 hex digits"),
        ("late:-1", "seconds, at most 3600"),
        ("late:nan", "seconds, at most 3600"),
        ("tear@2:-1", "a number of physical writes"),
        ("garble:0", "a number of bits"),
        ("worn", "a file (DF04/EF08)"),
        ("worn@3:DF04", "always worn out"),
    ],
)
def test_what_is_no_fault(text: str, complaint: str) -> None:
    with pytest.raises(FaultError) as caught:
        Faults(text)
    assert complaint in str(caught.value)


@given(
    st.builds(
        Fault,
        st.just(FaultKind.LATE),
        st.integers(0, 3600).map(str),
        st.just(0),
        st.just(""),
        st.integers(1, 100).map(lambda percent: percent / 100),
    )
    | st.builds(Fault, st.just(FaultKind.STATUS), st.just("6581"))
    | st.builds(Fault, st.just(FaultKind.LOSE), st.just(""), st.integers(1, 99), st.sampled_from(["", "VERIFY"]))
)
def test_what_is_written_is_read_again(fault: Fault) -> None:
    again = Fault.parse(str(fault))
    assert (again.kind, again.value, again.number, again.name) == (fault.kind, fault.value, fault.number, fault.name)
    assert again.probability == pytest.approx(fault.probability)


def test_a_place_that_the_card_does_not_have_and_a_card_that_is_not_emulated() -> None:
    with pytest.raises(FaultError, match="has no DF99"):
        card_with("worn:DF99")
    _, faulty = card_with()
    with pytest.raises(FaultError, match="only an emulated card"):
        Faults("tear@2").on(faulty)


def test_at_the_command_line(tmp_path: Path) -> None:
    card, trace = card_file(tmp_path), tmp_path / "t.jsonl"
    sent = ("apdu", "send", "--card", card, "--trace", trace, SELECT_SSSE, "0084000008", "0084000008")
    ended = call(*sent, "--fault", "lose@GET CHALLENGE#2")
    assert (ended.code, len(ended.lines)) == (4, 4)
    assert [event.kind for event in read_trace(trace)][-3:] == [EventKind.FAULT, EventKind.LOST, EventKind.CLOSED]
    assert call(*sent, "--fault", "explode").code == 7
