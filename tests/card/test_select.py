"""SELECT: where the session stands, and what it shows of the place (LD/T 32; ISO/IEC 7816-4, 11.1.1)."""

from __future__ import annotations

import pytest

from card.cards import DF04, SELECT_DF04, SELECT_SSSE, SSSE_NAME, VERIFY, Terminal, specimen, terminal
from kaguan.apdu.tlv import Tlv
from kaguan.card_os.image import Lifecycle

SSSE_FCI = "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E"


def test_the_ssse_by_name_waits_for_get_response() -> None:
    """Drivers reject a card whose first answer does not begin with 61."""
    card = terminal()
    assert card.send(SELECT_SSSE) == "6118"
    assert card.send("00C0000018") == SSSE_FCI + "9000"


def test_the_ssse_by_name_with_le_answers_directly() -> None:
    assert terminal().send(SELECT_SSSE + "00") == SSSE_FCI + "9000"


def test_the_master_file_shows_its_name() -> None:
    card = terminal()
    assert card.send("00A40000023F00") == "6112"
    assert card.send("00C0000012") == "6F10840E315041592E5359532E44444630319000"
    assert card.send("00A40000") == "6112"


@pytest.mark.parametrize("p1", ["00", "02"])
def test_an_elementary_file_answers_9000_and_nothing_else(p1: str) -> None:
    card = terminal(at="SSSE")
    assert card.send(f"00A4{p1}0002EF05") == "9000"
    assert card.send(f"00A4{p1}0002EF0500") == "9000"


def test_drivers_hop_between_files_and_applications() -> None:
    card = terminal(at="SSSE", pin=True)
    for hop in ("DF04", "EF05", "DDF1", "DF01", "EF05", "DF04", "EF08", "3F00", "DDF1", "EF06"):
        assert card.send("00A4000002" + hop)[-4:-2] in ("61", "90")
    assert card.send("00B2080014").startswith("0812")


@pytest.mark.parametrize("p1", ["00", "01"])
def test_an_application_by_identifier(p1: str) -> None:
    card = terminal(at="SSSE")
    assert card.send(f"00A4{p1}0002DF0400") == "6F088406D156000005039000"


def test_a_path_from_the_root_shows_the_files_control_information() -> None:
    answer = bytes.fromhex(terminal().send("00A4080004DDF1EF0500"))
    assert answer[-2:] == b"\x90\x00"
    shown = Tlv.parse(answer[:-2])
    assert shown.tag == 0x6F
    assert shown.find(0x83) == bytes.fromhex("EF05")
    assert shown.find(0x80) == (64).to_bytes(2, "big")  # seven records: 50 bytes and 14 of tags and lengths


def test_a_path_from_here() -> None:
    card = terminal(at="SSSE")
    assert card.send("00A4090002DF04") == "610A"
    assert card.send("00A4090002DF04") == "6A82"


def test_the_parent() -> None:
    card = terminal(at="DF04")
    assert card.send("00A40300") == "6118"
    assert card.send("00A40300") == "6112"
    assert card.send("00A40300") == "6A82"


def test_file_control_parameters_of_a_dedicated_file_tell_its_life_cycle() -> None:
    answer = bytes.fromhex(terminal().send("00A40004023F0000"))
    assert Tlv.parse(answer[:-2]).find(0x8A) == b"\x05"


def test_nothing_is_shown_when_nothing_is_wanted() -> None:
    assert terminal().send("00A4040C0F" + SSSE_NAME + "00") == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00A4050002DDF1", "6A86"),  # P1
        ("00A4000802DDF1", "6A86"),  # P2
        ("00A4000202DDF1", "6A82"),  # the next file of that name: there is none
        ("00A40000023F", "6700"),
        ("00A40000013F", "6A80"),
        ("00A40000033F0000", "6A80"),
        ("00A40100", "6A80"),
        ("00A4080003DDF1EF", "6A80"),
        ("00A40800", "6A80"),
        ("00A4000002EF77", "6A82"),
        ("00A4080004DDF1EF77", "6A82"),
        ("00A4040009A00000000386980701", "6A82"),
        ("00A40400", "6A82"),
        ("00A40400087378312E73682EC9", "6A82"),  # half a name is none
        ("00A4040010" + SSSE_NAME + "00", "6A82"),
    ],
)
def test_refusals_leave_the_session_where_it_was(command: str, sw: str) -> None:
    card = terminal(at="DF04", pin=True)
    assert card.send(command) == sw
    assert card.send("00B2010800") != "6982"
    assert card.send("00B281280A")[:4] == "8108"  # EF05 of DF04 by its short identifier, PIN still shown


def test_thirty_unknown_names_have_no_effect() -> None:
    """Card tools try the names of all cards that they know before they give up."""
    card = terminal(at="SSSE", pin=True)
    before = card.card.image
    for number in range(30):
        assert card.send(f"00A4040007A00000{number:02X}000001") == "6A82"
    assert card.card.image is before
    assert card.go(SELECT_DF04, "00A4000002EF05") == "9000"
    assert card.send("00B281000A")[:4] == "8108"


def test_a_blocked_application_is_selected_and_says_so() -> None:
    image = specimen()
    blocked = image.dedicated[DF04]._replace(lifecycle=Lifecycle.DEACTIVATED)
    card = Terminal(image._replace(dedicated={**image.dedicated, DF04: blocked}))
    assert card.go(SELECT_SSSE, VERIFY, SELECT_DF04) == "6A81"
    assert card.send("805C000104") == "6A81"
    assert card.send(SELECT_SSSE) == "6118"


def test_a_blank_chip_has_no_files(blank_terminal: Terminal) -> None:
    assert blank_terminal.send("00A40000023F00") == "6A82"
    assert blank_terminal.send(SELECT_SSSE) == "6A82"
