"""Field values survive the way into a record and back; what does not fit is refused."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import codecs, identifiers, textcodec
from kaguan.apdu.codecs import FieldFormat, MedicalDetailRecord, PurseLogRecord
from kaguan.apdu.errors import CodecError

AN, CN, B = FieldFormat.AN, FieldFormat.CN, FieldFormat.B
digits = st.text(string.digits, max_size=30)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12))
def test_text_comes_back(text: str) -> None:
    raw = codecs.encode(AN, 64, text)
    assert len(raw) == 64
    assert codecs.decode(AN, 64, raw) == textcodec.normalise(text)


@given(digits, st.integers(15, 20))
def test_digits_come_back(text: str, width: int) -> None:
    raw = codecs.encode(CN, width, text)
    assert len(raw) == width
    assert codecs.decode(CN, width, raw) == text


@given(st.binary(max_size=16))
def test_bytes_come_back_with_their_fill(value: bytes) -> None:
    raw = codecs.encode(B, 16, value.hex())
    assert codecs.decode(B, 16, raw) == value.ljust(16, b"\0").hex().upper()


@pytest.mark.parametrize(
    ("fmt", "width", "text", "raw"),
    [
        (AN, 4, "2.0", "322E3000"),
        (AN, 9, "A00000011", "413030303030303131"),
        (AN, 2, "", "0000"),
        (CN, 3, "99010", "99010F"),
        (CN, 3, "", "FFFFFF"),
        (CN, 1, "01", "01"),
        (B, 3, "9901", "990100"),
    ],
)
def test_fill(fmt: FieldFormat, width: int, text: str, raw: str) -> None:
    assert codecs.encode(fmt, width, text).hex().upper() == raw


@pytest.mark.parametrize(
    ("fmt", "text", "reason"),
    [
        (AN, "王王a", "takes 5 bytes, the field has 4"),
        (AN, "a\0b", "NUL"),
        (CN, "123456789", "9 digits"),
        (CN, "12a", "other than the digits"),
        (CN, "１２", "other than the digits"),
        (CN, "²", "other than the digits"),
        (B, "abc", "even number"),
        (B, "zz", "hex digits"),
        (B, "0102030405", "5 bytes, the field has 4"),
    ],
)
def test_what_does_not_fit_is_refused(fmt: FieldFormat, text: str, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        codecs.encode(fmt, 4, text)


@pytest.mark.parametrize("raw", ["1A34", "FF34", "12F4"])
def test_bytes_that_are_no_digits_are_refused(raw: str) -> None:
    with pytest.raises(CodecError, match="not BCD"):
        codecs.decode(CN, 2, bytes.fromhex(raw))


def test_a_field_has_its_width() -> None:
    with pytest.raises(CodecError, match="has 4 bytes, these are 3"):
        codecs.decode(AN, 4, b"abc")


def test_an_erased_text_field_is_empty() -> None:
    assert codecs.decode(AN, 30, b"\xff" * 30) == ""


@given(st.dates())
def test_dates_come_back(day: object) -> None:
    text = str(day).replace("-", "")
    assert codecs.decode_date(codecs.encode_date(text)) == text


@given(st.binary(min_size=4, max_size=4))
def test_no_date_field_breaks_its_reader(raw: bytes) -> None:
    assert codecs.decode_date(raw).isalnum() or codecs.decode_date(raw) == ""


@pytest.mark.parametrize(
    ("raw", "text"), [("32303132", "2012"), ("FFFFFFFF", ""), ("00000000", ""), ("20241345", "20241345")]
)
def test_odd_dates_are_shown_as_they_are(raw: str, text: str) -> None:
    assert codecs.decode_date(bytes.fromhex(raw)) == text


@pytest.mark.parametrize("text", ["20230229", "2023022", "2023-2-1", "２０２３０１０１", "00000101"])
def test_a_date_is_a_day(text: str) -> None:
    with pytest.raises(CodecError, match="not a day"):
        codecs.encode_date(text)


@given(st.integers(0, codecs.GREATEST_AMOUNT_FEN))
def test_amounts_come_back(amount_fen: int) -> None:
    assert codecs.decode_amount(codecs.encode_amount(amount_fen)) == amount_fen
    assert codecs.parse_amount(codecs.format_amount(amount_fen)) == amount_fen


def test_amounts_are_written_in_yuan() -> None:
    assert codecs.format_amount(1234) == "12.34"
    assert codecs.format_amount(-5) == "-0.05"
    assert [codecs.parse_amount(text) for text in ("12", "12.3", "0.07")] == [1200, 1230, 7]


@pytest.mark.parametrize("text", ["", ".", "1.", ".5", "-1", "+1", "1.234", "1,00", "1e3", "１", "1 "])
def test_other_spellings_of_an_amount_are_refused(text: str) -> None:
    with pytest.raises(CodecError, match="in yuan"):
        codecs.parse_amount(text)


@pytest.mark.parametrize("amount_fen", [-1, 1 << 32])
def test_an_amount_has_four_bytes(amount_fen: int) -> None:
    with pytest.raises(CodecError, match="does not fit"):
        codecs.encode_amount(amount_fen)


def test_purse_log_record() -> None:
    raw = bytes.fromhex("0017 000000 00000001 02 112233445566 20170310 110734")
    record = PurseLogRecord.parse(raw)
    assert record == PurseLogRecord(0x17, 0, 1, 2, "112233445566", "20170310", "110734")
    assert bytes(record) == raw
    with pytest.raises(CodecError, match="23 bytes"):
        PurseLogRecord.parse(raw[1:])


def test_medical_detail_record() -> None:
    raw = bytes.fromhex("0007 32 000000000000 20240101120000 00000010 00000020 00000000")
    record = MedicalDetailRecord.parse(raw)
    assert record == MedicalDetailRecord(7, "2", "0" * 12, "20240101120000", 10, 20, 0)
    assert bytes(record) == raw
    with pytest.raises(CodecError, match="28 bytes"):
        MedicalDetailRecord.parse(raw + b"\0")


@pytest.mark.parametrize(("body", "check"), [("00000001", "9"), ("A0000001", "1"), ("ZZ000001", "0")])
def test_card_number_check_character(body: str, check: str) -> None:
    assert identifiers.card_number_check_character(body) == check
    assert identifiers.card_number_ok(body + check)


@given(st.text(string.digits + string.ascii_uppercase, min_size=8, max_size=8), st.data())
def test_one_wrong_character_in_a_card_number_is_found(body: str, data: st.DataObject) -> None:
    number = body + identifiers.card_number_check_character(body)
    position = data.draw(st.integers(0, 7))
    other = data.draw(st.sampled_from(string.digits + string.ascii_uppercase))
    spoiled = number[:position] + other + number[position + 1 :]
    # Values that differ by 11, 22 or 33 weigh the same: the method's own limit.
    same = (int(other, 36) - int(number[position], 36)) % 11 == 0
    assert identifiers.card_number_ok(spoiled) == same


def test_citizen_and_bank_card_numbers() -> None:
    assert identifiers.citizen_number_ok("990101199003070015")
    assert not identifiers.citizen_number_ok("990101199003070016")
    assert not identifiers.citizen_number_ok("99010119900307001")
    assert identifiers.bank_card_number_ok("6229999900000000904")
    assert not identifiers.bank_card_number_ok("6229999900000000905")
    assert not identifiers.bank_card_number_ok("622999990000000090A")
    assert not identifiers.card_number_ok("")
