"""READ and UPDATE BINARY (ISO/IEC 7816-4, 11.2)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import SSSE, Terminal, a_file, specimen, terminal, with_file
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import NEVER, FileKind

LOCAL_FILE = SSSE + bytes.fromhex("0003")
CONTENT = bytes(range(100, 120)) * 20
OPEN = with_file(specimen(), LOCAL_FILE, a_file(FileKind.TRANSPARENT, content=CONTENT))
LOCKED = with_file(specimen(), LOCAL_FILE, a_file(FileKind.TRANSPARENT, content=CONTENT, read=NEVER, update=NEVER))


def at_file(image: CardImage = OPEN) -> Terminal:
    card = terminal(image, at="SSSE")
    card.select("0003")
    return card


def test_a_local_personal_number_is_read_as_drivers_do() -> None:
    assert at_file().send("00B0000014") == CONTENT[:20].hex().upper() + "9000"


def test_by_short_identifier_the_file_becomes_current() -> None:
    card = terminal(OPEN, at="SSSE")
    assert card.send("00B0830002") == CONTENT[:2].hex().upper() + "9000"
    assert card.send("00B0000402") == CONTENT[4:6].hex().upper() + "9000"


@examples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255))
def test_any_window(offset: int, le: int) -> None:
    answer = at_file().send(f"00B0{offset:04X}{le:02X}")
    left = len(CONTENT) - offset
    if le > left:
        assert answer == f"6C{left:02X}"
    else:
        assert answer == CONTENT[offset : offset + (le or 256)].hex().upper() + "9000"


@examples(st.integers(0, len(CONTENT) + 5), st.binary(min_size=1, max_size=255))
def test_an_update_changes_its_bytes_and_no_others(offset: int, data: bytes) -> None:
    card = at_file()
    answer = card.send(bytes((0, 0xD6, offset >> 8, offset & 0xFF, len(data))) + data)
    expected = CONTENT
    if offset >= len(CONTENT):
        assert answer == "6B00"
    elif offset + len(data) > len(CONTENT):
        assert answer == "6A84"
    else:
        assert answer == "9000"
        expected = CONTENT[:offset] + data + CONTENT[offset + len(data) :]
    assert card.card.image.files[LOCAL_FILE].content == expected


def test_an_extended_read_takes_the_whole_file() -> None:
    assert at_file().send("00B00000000000") == CONTENT.hex().upper() + "9000"


@pytest.mark.parametrize("ins", ["B0", "D6"])
def test_refusals_in_order(ins: str) -> None:
    end = "10" if ins == "B0" else "01AA"
    assert terminal(OPEN, at="SSSE").send(f"00{ins}A300{end}") == "6A86"
    assert terminal(OPEN, at="SSSE").send(f"00{ins}8000{end}") == "6A86"
    assert terminal(OPEN, at="SSSE").send(f"00{ins}9900{end}") == "6A82"
    assert terminal(OPEN, at="SSSE").send(f"00{ins}0000{end}") == "6986"
    assert terminal(OPEN, at="SSSE").send(f"00{ins}8500{end}") == "6981"
    assert at_file(LOCKED).send(f"00{ins}7FFF{end}") == "6982"
    assert at_file().send(f"00{ins}0190") == "6B00"
    assert at_file().send(f"00{ins}0000") == "6700"


def test_the_photo_is_read_and_written_under_its_key() -> None:
    card = terminal(at="SSSE")
    card.select("EF08")
    assert card.send("00D6000004DEADBEEF") == "6982"
    assert card.send("00B0000004") == "6982"
    card.authenticated(0x04)
    assert card.send("00B0000004") == "FFFFFFFF9000"
    assert card.send("00D6000004DEADBEEF") == "9000"
    assert card.send("00B0000006") == "DEADBEEFFFFF9000"
