"""`kaguan tape run`."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.cards import PIN_TRIES, SELECT_SSSE
from terminal.doors import call, card_file


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return card_file(tmp_path)


def tape(folder: Path, *lines: str, name: str = "test.apdu") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_tape_that_fits_ends_with_0(card: Path, tmp_path: Path) -> None:
    file = tape(
        tmp_path, ".reset [3B6D*] -> SERIAL = [-6:]", f"{SELECT_SSSE} (61XX)", "00C0000018 [6F16*] (9000)", "0084000008"
    )
    ended = call("tape", "run", file, "--card", card, "--random", "1122334455667788")
    assert ended.code == 0, ended.complaint
    assert ended.lines[0] == "> .reset"
    assert ended.lines[1].startswith("< 3B6D0000")
    assert ended.lines[1].endswith("  # matched")
    assert ended.lines[-2:] == ["> 0084000008", "< 11223344556677889000  # unchecked"]


def test_a_tape_that_does_not_fit_ends_with_3_and_the_place(card: Path, tmp_path: Path) -> None:
    file = tape(tmp_path, "0084000008=", "", "   00A4040002AABB (9000,61XX)", SELECT_SSSE, "0020000003000000")
    ended = call("tape", "run", file, "--card", card)
    assert ended.code == 3
    assert ended.complaint == f"{file}:3:19: expected (9000,61XX), received 6A82 (file not found)"
    assert ended.lines[-1] == "< 6A82  # mismatched"
    after = call("apdu", "send", "--card", card, SELECT_SSSE, f"00200000=63C{PIN_TRIES:X}")
    assert after.code == 0, "the wrong PIN behind the fault was sent all the same"


@pytest.mark.parametrize("line", ["00A4 (", ".repeat 2", "00A4040002 ${NOBODY}", "00XX000000"])
def test_what_is_no_tape_ends_with_7_and_the_place(card: Path, tmp_path: Path, line: str) -> None:
    file = tape(tmp_path, "0084000008=", line)
    ended = call("tape", "run", file, "--card", card)
    assert ended.code == 7
    assert ended.complaint.startswith(f"{file}:")


def test_included_tapes_lie_beside_the_tape(card: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    file = tape(folder, ".include more/select.apdu", "00C0000018=", name="main.apdu")
    tape(folder / "more", f"{SELECT_SSSE}=61XX", name="select.apdu")
    assert call("tape", "run", file, "--card", card).code == 0
    tape(folder / "more", f"{SELECT_SSSE}=9000", name="select.apdu")
    ended = call("tape", "run", file, "--card", card)
    assert ended.code == 3
    assert "select.apdu:1:" in ended.complaint


def test_an_included_tape_that_is_missing_is_named(card: Path, tmp_path: Path) -> None:
    ended = call("tape", "run", tape(tmp_path, ".include none.apdu"), "--card", card)
    assert ended.code == 7
    assert "none.apdu" in ended.complaint


@pytest.mark.parametrize("way", ["../secret.apdu", "{outside}", "link.apdu"])
def test_a_tape_includes_nothing_from_outside_its_folder(card: Path, tmp_path: Path, way: str) -> None:
    outside = tmp_path / "secret.apdu"
    outside.write_text("hunter2")
    file = tape(tmp_path / "tapes", f".include {way.format(outside=outside)}")
    (tmp_path / "tapes" / "link.apdu").symlink_to(outside)
    ended = call("tape", "run", file, "--card", card)
    assert ended.code == 7
    assert "outside" in ended.complaint
    assert "hunter2" not in ended.complaint


def test_an_included_tape_that_is_a_folder_is_told(card: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    ended = call("tape", "run", tape(tmp_path, ".include parts"), "--card", card)
    assert ended.code == 7
    assert "parts:" in ended.complaint
    assert "it cannot be read: Is a directory" in ended.complaint


def test_a_tape_that_is_no_utf_8_is_told(card: Path, tmp_path: Path) -> None:
    file = tmp_path / "old.apdu"
    file.write_bytes("// 卡".encode("gb18030"))
    assert call("tape", "run", file, "--card", card).code == 7


def test_a_tape_may_speak_to_several_cards(card: Path, tmp_path: Path) -> None:
    other = card_file(tmp_path, "psam.card")
    file = tape(tmp_path, "0084000004 -> R", ".card 1", "0084000004 -> S", ".card 0", "0084000004 [0303*]")
    numbers = "01010101,02020202,03030303"
    ended = call("tape", "run", file, "--card", card, "--card", other, "--random", numbers)
    assert ended.code == 0, ended.complaint
    assert [line for line in ended.lines if line.startswith(".card")] == [".card 1", ".card 0"]
    rows = call("tape", "run", file, "--card", card, "--card", other, "--random", numbers, "--json").rows
    assert [(row["card"], row["data"]) for row in rows] == [(0, "01010101"), (1, "02020202"), (0, "03030303")]


def test_a_card_that_is_not_there_is_told(card: Path, tmp_path: Path) -> None:
    ended = call("tape", "run", tape(tmp_path, ".card 1", "0084000004"), "--card", card)
    assert (ended.code, ended.lines) == (7, [])


def test_some_card_must_be_named(tmp_path: Path) -> None:
    file = tape(tmp_path, "0084000004")
    assert call("tape", "run", file).code == 2
    assert call("tape", "run", file, "--reader", "0", "--random", "11").code == 2
    assert call("tape", "run", tmp_path / "none.apdu", "--card", "x").code == 2


def test_the_security_module_is_the_card_behind_the_others(card: Path, tmp_path: Path) -> None:
    psam = tmp_path / "till.card"
    assert call("card", "new", "--profile", "psam", psam).code == 0
    file = tape(tmp_path, "> 0084000004", "< 01010101 9000", ".card 1", "send: 0084000004", "receive: 02020202 9000")
    ended = call("tape", "run", file, "--card", card, "--psam", psam, "--random", "01010101,02020202")
    assert ended.code == 0, ended.complaint
    alone = tape(tmp_path, "0084000004 [03030303] = 9000", name="alone.apdu")
    assert call("tape", "run", alone, "--psam", psam, "--random", "03030303").code == 0
    assert call("tape", "run", file, "--card", card, "--psam", tmp_path / "none.card").code == 4


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ("", "number 1 is empty"),
        ("11223344,", "number 2 is empty"),
        ("11223344,5566778", "number 2, '5566778', is no whole bytes"),
        ("0x11223344", "number 1, '0x11223344', is no whole bytes"),
    ],
)
def test_random_numbers_are_hex_with_commas(card: Path, tmp_path: Path, numbers: str, complaint: str) -> None:
    ended = call("tape", "run", tape(tmp_path, "0084000004"), "--card", card, "--random", numbers)
    assert ended.code == 2
    assert complaint in ended.complaint
    assert call("apdu", "send", "--card", card, "0084000004", "--random", numbers).code == 2


@pytest.mark.parametrize(
    ("numbers", "complaint"),
    [
        ("11223344", "test.apdu:2:1: the card needs a random number of 8 bytes, its 2.: no more were given"),
        ("11223344,55667788", "test.apdu:2:1: the card's random number 2 must have 8 bytes, the one given has 4"),
        ("112233", "test.apdu:1:1: the card's random number 1 must have 4 bytes, the one given has 3"),
    ],
)
def test_random_numbers_that_do_not_fit_are_told_with_the_line(
    card: Path, tmp_path: Path, numbers: str, complaint: str
) -> None:
    file = tape(tmp_path, "0084000004", "0084000008")
    ended = call("tape", "run", file, "--card", card, "--random", numbers)
    assert (ended.code, ended.complaint.endswith(complaint)) == (7, True), ended.complaint


def test_random_numbers_left_over_are_told(card: Path, tmp_path: Path) -> None:
    file = tape(tmp_path, "0084000004")
    ended = call("tape", "run", file, "--card", card, "--random", "11 22 33 44, 55667788, 99")
    assert (ended.code, ended.complaint) == (0, "2 of the random numbers were not needed\n")
    ended = call("apdu", "send", "--card", card, "0084000004", "--random", "11223344,55667788")
    assert (ended.code, ended.complaint) == (0, "1 of the random numbers were not needed\n")
