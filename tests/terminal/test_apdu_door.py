"""`kaguan apdu send`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import PIN_TRIES, SELECT_SSSE, SSSE_NAME
from kaguan.apdu.errors import TapeError
from kaguan.terminal.playback import one_apdu
from terminal.doors import call, card_file

FCI = f"6F16840F{SSSE_NAME}A50388011E"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


def test_commands_share_one_session(card: Path) -> None:
    ended = call("apdu", "send", "--card", card, SELECT_SSSE + "=61XX", "00C0000018=")
    assert ended.code == 0
    assert ended.lines == [f"> {SELECT_SSSE}", "< 6118", "> 00C0000018", f"< {FCI}9000"]


def test_lower_case_and_spaces_are_hex_too(card: Path) -> None:
    ended = call("apdu", "send", "--card", card, "00 a4 04 00 0f " + SSSE_NAME.lower() + " 00 =")
    assert (ended.code, ended.lines[1]) == (0, f"< {FCI}9000")


def test_the_random_numbers_are_the_given_ones(card: Path) -> None:
    numbers = "1122334455667788,a1b2c3d4"
    ended = call("apdu", "send", "--card", card, "--random", numbers, "0084000008=", "0084000004=")
    assert ended.lines[1::2] == ["< 11223344556677889000", "< A1B2C3D49000"]


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [("1122334455667788", "no more were given"), ("1122334455667788,A1B2", "must have 4 bytes")],
)
def test_too_few_random_numbers_are_told(card: Path, numbers: str, complaint: str) -> None:
    ended = call("apdu", "send", "--card", card, "--random", numbers, "0084000008", "0084000004")
    assert ended.code == 7
    assert complaint in ended.complaint
    assert ended.lines == ["> 0084000008", "< 11223344556677889000"]


def test_an_unexpected_status_word_ends_with_its_meaning(card: Path) -> None:
    ended = call("apdu", "send", "--card", card, "00A4040002AABB=9000", "0084000008")
    assert ended.code == 3
    assert ended.lines == ["> 00A4040002AABB", "< 6A82"]
    assert ended.complaint == "APDU 1:15: expected (9000), received 6A82 (file not found)"


def test_without_an_expectation_any_answer_is_good(card: Path) -> None:
    assert call("apdu", "send", "--card", card, "00A4040002AABB").code == 0


@pytest.mark.parametrize(("apdu", "place"), [("00G4", "2:3"), ("00A40", "2:1"), ("00A4=90", "2:6"), ("00A4 -> X", "2")])
def test_bad_hex_is_told_with_its_place_before_anything_is_sent(card: Path, apdu: str, place: str) -> None:
    ended = call("apdu", "send", "--card", card, "0020000003000000", apdu)
    assert (ended.code, ended.lines) == (7, [])
    assert ended.complaint.startswith(f"APDU {place}: ")


def test_what_commands_change_stays_in_the_file(card: Path) -> None:
    for left in range(PIN_TRIES - 1, PIN_TRIES - 3, -1):
        ended = call("apdu", "send", "--card", card, SELECT_SSSE, f"0020000003000000=63C{left:X}")
        assert ended.code == 0, ended.complaint


def test_follow_gets_the_whole_answer(card: Path) -> None:
    ended = call("apdu", "send", "--follow", "--card", card, SELECT_SSSE + "=")
    assert ended.lines == [f"> {SELECT_SSSE}", f"< {FCI}9000"]


def test_json_is_one_object_a_line(card: Path) -> None:
    ended = call(
        "apdu", "send", "--json", "--card", card, "--random", "11" * 8, "0084000008=", ".reset", "00A4040002AABB"
    )
    assert [row["verdict"] for row in ended.rows] == ["matched", "unchecked", "unchecked"]
    assert ended.rows[0]["data"] == "11" * 8
    assert ended.rows[0]["sw"] == "9000"
    assert ended.rows[1]["atr"].startswith("3B6D0000")
    assert (ended.rows[2]["sw"], ended.rows[2]["meaning"]) == ("6A82", "file not found")


def test_apdus_come_from_standard_input_too(card: Path) -> None:
    typed = f"# the card's own application\n\n{SELECT_SSSE}=61XX  // a comment\n00C0000018=\n"
    ended = call("apdu", "send", "--card", card, "0084000008=", "-", "00A4000002EF05=", typed=typed)
    assert ended.code == 0, ended.complaint
    assert ended.lines[2:6] == [f"> {SELECT_SSSE}", "< 6118", "> 00C0000018", f"< {FCI}9000"]


def test_a_fault_in_standard_input_is_told_with_its_line(card: Path) -> None:
    ended = call("apdu", "send", "--card", card, "-", typed="0084000008\n00G4\n")
    assert ended.code == 7
    assert len(ended.lines) == 2
    assert ended.complaint.startswith("standard input:2:3: ")


def test_a_missing_card_is_a_missing_card(tmp_path: Path) -> None:
    ended = call("apdu", "send", "--card", tmp_path / "none.card", "0084000008")
    assert ended.code == 4
    assert "none.card" in ended.complaint


@pytest.mark.parametrize("words", [["0084000008"], ["--card", "x", "--reader", "0", "0084000008"], ["--card", "x"]])
def test_one_card_must_be_named(words: list[str]) -> None:
    assert call("apdu", "send", *words).code == 2


@pytest.mark.parametrize("numbers", ["XY", "11,2"])
def test_random_numbers_are_hex(card: Path, numbers: str) -> None:
    assert call("apdu", "send", "--card", card, "--random", numbers, "0084000008").code == 2


@given(st.text(max_size=30))
def test_any_text_is_an_apdu_or_a_placed_error(text: str) -> None:
    try:
        found = one_apdu(text, file="here", line=5).statements
    except TapeError as error:
        placed = (error.file, error.line)
    else:
        placed = found[0].place[:2] if found else ("here", 5)
    assert placed == ("here", 5)
