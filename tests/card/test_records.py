"""READ, UPDATE and APPEND RECORD (LD/T 32; ISO/IEC 7816-4, 11.3)."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from card.cards import SSSE, Terminal, a_file, specimen, terminal, with_file
from kaguan.card_os.image import CardImage, Elementary
from kaguan.card_os.profile import NEVER, FileKind

ISSUER_TAGS = [(1, 16), (2, 1), (3, 4), (4, 12), (5, 4), (6, 4), (7, 9)]
FILE = SSSE + bytes.fromhex("EF0C")
CYCLIC = a_file(FileKind.CYCLIC, size=3, record_size=2, records=(b"\x00\x02", b"\x00\x01"))
FIXED = a_file(FileKind.LINEAR_FIXED, size=2, record_size=3, records=(b"abc",))
VARIABLE = a_file(FileKind.LINEAR_VARIABLE, size=20, records=(b"\xea\x03one", b"\xeb\x03two", b"\xea\x01x"))
TRANSPARENT = a_file(FileKind.TRANSPARENT, content=bytes(8))


def holding(file: Elementary) -> CardImage:
    return with_file(specimen(), FILE, file)


def at(file: Elementary) -> Terminal:
    card = terminal(holding(file), at="SSSE")
    card.select("EF0C")
    return card


def records(card: Terminal) -> tuple[bytes, ...]:
    return card.card.image.files[FILE].records


def issuer_file() -> Terminal:
    card = terminal(at="SSSE")
    card.select("EF05")
    return card


def test_all_records_with_one_command() -> None:
    """The whole issuer file came back to this in a real trace, 64 bytes."""
    answer = bytes.fromhex(issuer_file().send("00B20105FF"))
    assert (len(answer), answer[-2:]) == (66, b"\x90\x00")
    rest, seen = answer[:-2], []
    while rest:
        seen.append((rest[0], rest[1]))
        rest = rest[2 + rest[1] :]
    assert seen == ISSUER_TAGS


@pytest.mark.parametrize(("tag", "width"), ISSUER_TAGS)
def test_in_the_issuer_file_tag_and_number_coincide(tag: int, width: int) -> None:
    card = issuer_file()
    by_number = card.send(f"00B2{tag:02X}04{width + 2:02X}")
    assert by_number == card.send(f"00B2{tag:02X}00{width + 2:02X}")
    assert by_number == card.send(f"00B2{tag:02X}0400")
    assert by_number[:4] == f"{tag:02X}{width:02X}"


def test_the_holders_records_by_tag_as_drivers_read_them() -> None:
    card = terminal(at="SSSE")
    card.select("EF06")
    assert card.send("00B2080014") == "0812" + b"990101199003070015".hex().upper() + "9000"
    assert card.send("00B24E3016") == "4E14" + "00" * 20 + "9000", "EF06 by its short identifier"
    assert card.send("00B20A3003") == "0A01319000"
    assert card.send("00B2090020") == "091E" + "张三".encode("gb18030").hex().upper().ljust(60, "0") + "9000"


def test_a_short_identifier_makes_the_file_current() -> None:
    card = terminal(at="SSSE")
    assert card.send("00B2010400") == "6986"
    assert card.send("00B2082800") == "6A83", "tag 08 is not in EF05"
    assert card.send("00B2083000")[:4] == "0812"
    assert card.send("00B2090000")[:4] == "091E"


def test_record_zero_is_the_current_one_of_the_same_file() -> None:
    card = terminal(at="SSSE")
    assert card.send("00B2032C00")[:4] == "0304"
    assert card.send("00B2000400")[:4] == "0304"
    assert card.send("00B2003400") == "6A83", "EF06 has no current record yet"


def test_a_wrong_le_is_told_the_right_one() -> None:
    card = issuer_file()
    assert card.send("00B2010410") == "6C12"
    assert card.send("00B2010413") == "6C12"
    assert card.send("00B2010510") == "6C40"


def test_a_cyclic_files_records_are_raw_and_the_newest_is_first() -> None:
    card = at(CYCLIC)
    assert card.send("00B2010402") == "00029000"
    assert card.send("00B2020402") == "00019000"
    assert card.send("00B2030402") == "6A83"


@pytest.mark.parametrize("append", ["00DC000302", "00DC010402", "00E2000002", "00DC006302", "00DC016402"])
def test_every_way_to_turn_a_cyclic_file(append: str) -> None:
    card = at(CYCLIC)
    for number in (3, 4):
        assert card.send(f"{append}00{number:02X}") == "9000"
    assert records(card) == (b"\x00\x04", b"\x00\x03", b"\x00\x02")


@pytest.mark.parametrize("mode", ["0200", "0204", "0103", "0001", "0002", "0000"])
def test_a_cyclic_files_older_records_are_not_rewritten(mode: str) -> None:
    card = at(CYCLIC)
    assert card.send(f"00DC{mode}020003") == "6A86"


def test_update_by_number_and_by_tag() -> None:
    card = at(VARIABLE)
    assert card.send("00DC020405EB03" + b"TWO".hex()) == "9000"
    assert card.send("00DCEA0005EA03" + b"ONE".hex()) == "9000"
    assert records(card) == (b"\xea\x03ONE", b"\xeb\x03TWO", b"\xea\x01x")


def test_append() -> None:
    card = at(VARIABLE)
    assert card.send("00E2000004EC02AABB") == "9000"
    assert records(card)[3] == b"\xec\x02\xaa\xbb"
    assert card.send("00B2000404") == "EC02AABB9000", "the new record is the current one"


@examples(st.lists(st.binary(min_size=2, max_size=2), max_size=8))
def test_a_cyclic_file_keeps_the_newest(appended: list[bytes]) -> None:
    card = at(CYCLIC)
    for record in appended:
        assert card.send(b"\x00\xdc\x00\x03\x02" + record) == "9000"
    assert records(card) == (*reversed(appended), b"\x00\x02", b"\x00\x01")[:3]


@pytest.mark.parametrize(
    ("file", "command", "sw"),
    [
        (VARIABLE, "00B201B400", "6A82"),
        (TRANSPARENT, "00B2010700", "6981"),
        (VARIABLE._replace(read=NEVER), "00B2010700", "6982"),
        (VARIABLE, "00B2010700", "6A86"),
        (VARIABLE, "00B2010300", "6A86"),
        (FIXED, "00B2EA0000", "6A86"),
        (VARIABLE, "00B2040400", "6A83"),
        (VARIABLE, "00B2000400", "6A83"),
        (VARIABLE, "00B2EE0000", "6A83"),
        (VARIABLE, "00B2040500", "6A83"),
        (FIXED._replace(records=()), "00B2010500", "6A83"),
        (VARIABLE, "00B20104", "6700"),
        (VARIABLE, "00B20105", "6700"),
    ],
)
def test_read_refuses_in_order(file: Elementary, command: str, sw: str) -> None:
    assert at(file).send(command) == sw


@pytest.mark.parametrize(
    ("file", "command", "sw"),
    [
        (VARIABLE, "00DC01B4", "6A82"),
        (TRANSPARENT, "00DC0107", "6981"),
        (VARIABLE._replace(update=NEVER), "00DC0107", "6982"),
        (VARIABLE, "00DC0107", "6700"),
        (FIXED, "00DC010702AABB", "6700"),
        (CYCLIC, "00DC000303AABBCC", "6700"),
        (VARIABLE, "00DC010702EA00", "6A86"),
        (FIXED, "00DC000303414243", "6A86"),
        (VARIABLE, "00DC040401AA", "6A83"),
        (VARIABLE, "00DC010401AA", "6A80"),
        (VARIABLE, "00DC010403EA02AA", "6A80"),
        (VARIABLE, "00DC01040DEA0B" + "41" * 11, "6A84"),
        (VARIABLE, "00E201B4", "6A82"),
        (TRANSPARENT, "00E20107", "6981"),
        (VARIABLE._replace(update=NEVER), "00E20107", "6982"),
        (VARIABLE, "00E20107", "6700"),
        (VARIABLE, "00E2010002EC00", "6A86"),
        (VARIABLE, "00E2000402EC00", "6A86"),
        (VARIABLE, "00E2000001EC", "6A80"),
        (VARIABLE, "00E2000009EC0741414141414141", "6A84"),
        (FIXED._replace(records=(b"abc", b"def")), "00E2000003616263", "6A84"),
        (VARIABLE._replace(size=0, records=(b"\xea\x00",) * 255), "00E2000002EC00", "6A84"),
    ],
)
def test_write_refuses_in_order(file: Elementary, command: str, sw: str) -> None:
    card = at(file)
    assert card.send(command) == sw
    assert records(card) == file.records


def test_no_file_is_current_in_an_application_just_selected() -> None:
    card = issuer_file()
    card.select("DDF1")
    for ins in ("B2010400", "DC010402EA00", "E2000002EA00"):
        assert card.send("00" + ins) == "6986"


@pytest.mark.parametrize(
    ("at_df", "file", "key", "read"),
    [
        ("DF01", "EF05", 0x83, "00B2200000"),
        ("DF01", "EF06", 0x86, "00B2230000"),
        ("DF01", "EF07", 0x84, "00B2290000"),
        ("DF01", "EF08", 0x85, "00B22B0000"),
        ("DF01", "EF09", 0x84, "00B22E0000"),
        ("DF01", "EF0A", 0x87, "00B2370000"),
        ("DF04", "EF05", 0x85, "00B2810000"),
    ],
)
def test_access_rules_of_the_applications(at_df: str, file: str, key: int, read: str) -> None:
    """Read with the PIN, written with the file's own update key and no other."""
    card = terminal(at="SSSE")
    card.select(at_df, file)
    assert card.send(read) == "6982"
    assert card.send("0020000003123456") == "9000"
    record = card.send(read)
    assert record.endswith("9000")
    update = f"00DC{read[4:6]}00{len(record[:-4]) // 2:02X}{record[:-4]}"
    assert card.send(update) == "6982"
    card.authenticated(*(other for other in range(0x83, 0x89) if other != key and (at_df == "DF01" or other < 0x87)))
    assert card.send(update) == "6982"
    card.authenticated(key)
    assert card.send(update) == "9000"


@pytest.mark.parametrize("file", ["EF05", "EF06"])
def test_the_basic_files_are_free_to_read_and_written_with_their_update_key(file: str) -> None:
    card = terminal(at="SSSE")
    card.select(file)
    record = card.send("00B2010400")
    update = f"00DC0104{len(record[:-4]) // 2:02X}{record[:-4]}"
    assert card.send(update) == "6982"
    card.authenticated(0x04)
    assert card.send(update) == "9000"


def test_public_data_is_read_with_the_read_key_as_well() -> None:
    card = terminal(at="SSSE")
    card.select("DF01", "EF05")
    card.authenticated(0x88)
    assert card.send("00B2200000").endswith("9000")


def test_settlement_data_wants_pin_and_key() -> None:
    for pin, keys, sw in ((True, (), "6982"), (False, (0x84,), "6982"), (True, (0x84,), "9000")):
        card = terminal(at="DF04", pin=pin)
        card.select("EF06")
        card.authenticated(*keys)
        assert card.send("00B2900000")[-4:] == sw


def test_nobody_writes_the_medical_log() -> None:
    card = terminal(at="DF04", pin=True)
    card.authenticated(0x83, 0x84, 0x85, 0x86)
    card.select("EF08")
    for command in ("00DC00031C", "00DC01041C", "00E200001C"):
        assert card.send(command + "00" * 28) == "6982"
