"""Data objects are read exactly as written, and everything else is refused with a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import tlv
from kaguan.apdu.errors import TlvSyntaxError
from kaguan.apdu.tlv import Tlv

tags = st.sampled_from([0x01, 0x4F, 0x50, 0x84, 0x88, 0x9F0C, 0x5F20, 0xDF8101, 0xBF0C, 0x6F, 0xA5])
objects = st.builds(Tlv, tags, st.binary(max_size=300))


@given(st.lists(objects, max_size=5))
def test_objects_come_back(found: list[Tlv]) -> None:
    assert Tlv.parse_all(b"".join(map(bytes, found))) == tuple(found)


@given(st.binary(max_size=40))
def test_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        found = Tlv.parse_all(raw)
    except TlvSyntaxError:
        return
    assert Tlv.parse_all(b"".join(map(bytes, found))) == found


@given(st.lists(objects, max_size=3), objects, st.data())
def test_lenient_reading_keeps_what_is_whole(whole: list[Tlv], last: Tlv, data: st.DataObject) -> None:
    cut = bytes(last)[: data.draw(st.integers(0, len(bytes(last)) - 1))]
    assert Tlv.parse_lenient(b"".join(map(bytes, whole)) + cut) == (tuple(whole), cut)


def test_the_answer_to_selecting_a_version_3_card() -> None:
    raw = bytes.fromhex("6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA5098801059F0C03860103")
    fci = Tlv.parse(raw)
    assert fci.find(0x84) == bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
    assert fci.find(0xA5, 0x9F0C) == bytes.fromhex("860103")
    assert fci.find(0xA5, 0x9F0D) is None
    assert bytes(fci) == raw
    assert repr(fci) == "<6F 28 bytes>"


def test_a_template_holds_its_children() -> None:
    children = (Tlv(0x84, b"a"), Tlv(0x88, b"\x05"))
    assert tlv.template(0x6F, *children).children() == children
    with pytest.raises(TlvSyntaxError, match="primitive"):
        Tlv(0x84, b"").children()


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_536])
def test_lengths_of_one_to_four_bytes(length: int) -> None:
    assert Tlv.parse(bytes(Tlv(0x84, bytes(length)))).value == bytes(length)


def test_a_longer_length_than_needed_is_read() -> None:
    assert Tlv.parse(bytes.fromhex("84820001AA")).value == b"\xaa"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "offset 0: a tag is missing"),
        ("84", "offset 1: the length is missing"),
        ("8402AA", "offset 2: 2 bytes should follow, 1 do"),
        ("8480", "offset 1: 80 is no length"),
        ("848500", "offset 1: 85 is no length"),
        ("8482FF", "offset 1: the length is cut off"),
        ("0000", "offset 0: 00 is no tag"),
        ("FF00", "offset 0: FF is no tag"),
        ("9F", "offset 0: the tag does not end"),
        ("9F80", "offset 1: the tag number begins with zeros"),
        ("9F8181818100", "offset 0: the tag does not end"),
        ("840000", "offset 2: 1 bytes follow"),
    ],
)
def test_refusals_say_where(raw: str, reason: str) -> None:
    with pytest.raises(TlvSyntaxError, match=reason):
        Tlv.parse(bytes.fromhex(raw))


@pytest.mark.parametrize("tag", [0, 0xFF, 0x9F, 0x8401, 0x9F8101_8101])
def test_a_number_that_is_no_tag_is_not_written(tag: int) -> None:
    with pytest.raises(TlvSyntaxError):
        bytes(Tlv(tag, b""))


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=255)), max_size=6))
def test_card_records_come_back(found: list[tuple[int, bytes]]) -> None:
    assert list(tlv.records(b"".join(tlv.record(tag, value) for tag, value in found))) == found


def test_a_card_records_tag_has_one_byte() -> None:
    inner = tlv.record(0x5A, b"a") + tlv.record(0x5F, b"bc")
    assert list(tlv.records(inner)) == [(0x5A, b"a"), (0x5F, b"bc")]


@pytest.mark.parametrize("raw", ["0101AA02", "0101AA0205AA", "01"])
def test_a_cut_card_record_is_refused(raw: str) -> None:
    with pytest.raises(TlvSyntaxError, match="is cut off"):
        list(tlv.records(bytes.fromhex(raw)))


@pytest.mark.parametrize(("tag", "size"), [(256, 0), (-1, 0), (1, 256)])
def test_a_card_record_has_one_byte_each(tag: int, size: int) -> None:
    with pytest.raises(TlvSyntaxError, match="one byte"):
        tlv.record(tag, bytes(size))
