"""Field formats of the card: how a value stands in a record's bytes.

an: text, left-aligned, filled with 00. cn: BCD digits, left-aligned, filled with F; no digits are all F.
b: bytes, written as hex, filled with 00. Source: LB002-2000 and LD/T 32.2, as readers and bureaus do it.

The two fixed records are read with `struct`: importing construct takes a tenth of a second by itself.
"""

from __future__ import annotations

import struct
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError

DATE_WIDTH = 4
AMOUNT_WIDTH = 4
GREATEST_AMOUNT_FEN = 0xFFFF_FFFF

_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class FieldFormat(StrEnum):
    """The standard's three formats, and that of a record which holds fields itself."""

    AN = "an"
    CN = "cn"
    B = "b"
    TLV = "tlv"


_AN, _CN, TLV = FieldFormat.AN, FieldFormat.CN, FieldFormat.TLV
"""By their own names for what every field asks: an enumeration takes ten times as long to find them."""


def encode(fmt: FieldFormat, width: int, text: str) -> bytes:
    """Exactly `width` bytes that hold the value.

    Raises:
        CodecError: the value is too long, or has characters that the format does not know.
    """
    if fmt is _AN:
        return _encode_text(width, text)
    if fmt is _CN:
        return encode_digits(width, text)
    if fmt is TLV:
        raise CodecError("a nested record is written by the profile that knows its fields")
    return _encode_hex(width, text)


def decode(fmt: FieldFormat, width: int, raw: bytes) -> str:
    """The value in a field of `width` bytes; the fill is gone, a field of fill alone is the empty text.

    Format b has no visible fill: all `width` bytes come back, as upper-case hex.

    Raises:
        CodecError: not `width` bytes, or bytes that the format does not know.
    """
    if len(raw) != width:
        raise CodecError(f"the field has {width} bytes, these are {len(raw)}")
    if fmt is _AN:
        # A field that personalization never touched may still hold the erased state of the memory.
        return "" if raw == b"\xff" * width else textcodec.decode(raw.rstrip(b"\0"))
    return decode_digits(raw) if fmt is _CN else raw.hex().upper()


def _encode_text(width: int, text: str) -> bytes:
    if "\0" in text:
        raise CodecError("the text holds a NUL character, which is the field's fill")
    raw = textcodec.encode(text)
    if len(raw) > width:
        raise CodecError(f"the text takes {len(raw)} bytes, the field has {width}")
    return raw.ljust(width, b"\0")


def _encode_hex(width: int, text: str) -> bytes:
    if len(text) % 2 or not _HEX_DIGITS.issuperset(text):
        raise CodecError("the value is not an even number of hex digits")
    if len(text) > 2 * width:
        raise CodecError(f"the value has {len(text) // 2} bytes, the field has {width}")
    return bytes.fromhex(text).ljust(width, b"\0")


def encode_digits(width: int, digits: str) -> bytes:
    """`width` bytes of BCD, left-aligned and filled with F.

    Raises:
        CodecError: anything but 0 to 9, or more than two digits a byte.
    """
    if digits and not (digits.isascii() and digits.isdigit()):
        raise CodecError("the value has characters other than the digits 0 to 9")
    if len(digits) > 2 * width:
        raise CodecError(f"the value has {len(digits)} digits, the field has room for {2 * width}")
    return bytes.fromhex(digits.ljust(2 * width, "F"))


def decode_digits(raw: bytes) -> str:
    """The digits of a BCD field without its F fill.

    Raises:
        CodecError: a nibble A to E, or an F before the last digit.
    """
    digits = raw.hex().rstrip("f")
    if digits and not digits.isdigit():
        raise CodecError(f"the field of {len(raw)} bytes is not BCD digits followed by F")
    return digits


def encode_date(text: str) -> bytes:
    """Four BCD bytes for YYYYMMDD, or FFFFFFFF for the empty text.

    Raises:
        CodecError: not a day of the calendar.
    """
    if text and real_date(text) is None:
        raise CodecError("the date is not a day of the calendar written YYYYMMDD")
    return encode_digits(DATE_WIDTH, text)


def decode_date(raw: bytes) -> str:
    """What a date field says, whatever was written there: YYYYMMDD, or empty for FF or 00 fill.

    Cards exist whose date is ASCII ("2012" in four bytes): that text comes back as it is. Anything else comes
    back as hex. A reader that only shows the field never fails; one that calculates asks `real_date` first.
    """
    digits = raw.hex().upper()
    if not digits.strip("F") or not digits.strip("0"):
        return ""
    if real_date(digits) is None and raw.isdigit():
        return raw.decode("ascii")
    return digits


def real_date(text: str) -> date | None:
    """The day that YYYYMMDD names, or None."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def encode_amount(amount_fen: int) -> bytes:
    """Four bytes, most significant first.

    Raises:
        CodecError: below zero, or more than four bytes hold.
    """
    if not 0 <= amount_fen <= GREATEST_AMOUNT_FEN:
        raise CodecError(f"{amount_fen} fen does not fit in {AMOUNT_WIDTH} bytes")
    return amount_fen.to_bytes(AMOUNT_WIDTH, "big")


def decode_amount(raw: bytes) -> int:
    """The amount in fen.

    Raises:
        CodecError: not four bytes.
    """
    if len(raw) != AMOUNT_WIDTH:
        raise CodecError(f"an amount has {AMOUNT_WIDTH} bytes, these are {len(raw)}")
    return int.from_bytes(raw, "big")


def parse_amount(text: str) -> int:
    """Fen from "12.34", "12.3" or "12" yuan; never through a float.

    Raises:
        CodecError: anything else, a sign included.
    """
    yuan, point, fen = text.partition(".")
    plain = (yuan + fen).isascii() and yuan.isdigit() and (fen.isdigit() if point else True)
    if not plain or len(fen) > 2:
        raise CodecError('an amount is written in yuan with at most two decimals, as in "12.34"')
    return int(yuan) * 100 + int(fen.ljust(2, "0"))


def format_amount(amount_fen: int) -> str:
    """Yuan with two decimals: 1234 fen is "12.34"."""
    sign, fen = ("-", -amount_fen) if amount_fen < 0 else ("", amount_fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


_PURSE_LOG = struct.Struct(">H3s4sB6s4s3s")
_MEDICAL_DETAIL = struct.Struct(">2s1s6s7s4s4s4s")


class PurseLogRecord(NamedTuple):
    """One record of the purse's transaction log, 23 bytes (JR/T 0025.2, EF18)."""

    sequence_number: int
    overdraft_limit_fen: int
    amount_fen: int
    transaction_type: int
    terminal: str
    """Twelve hex digits."""
    date: str
    """YYYYMMDD."""
    time: str
    """hhmmss."""

    @classmethod
    def parse(cls, raw: bytes) -> PurseLogRecord:
        """The record that these bytes are.

        Raises:
            CodecError: not 23 bytes.
        """
        if len(raw) != _PURSE_LOG.size:
            raise CodecError(f"a purse log record has {_PURSE_LOG.size} bytes, these are {len(raw)}")
        number, overdraft, amount, kind, terminal, day, time = _PURSE_LOG.unpack(raw)
        return cls(
            sequence_number=number,
            overdraft_limit_fen=int.from_bytes(overdraft, "big"),
            amount_fen=decode_amount(amount),
            transaction_type=kind,
            terminal=terminal.hex().upper(),
            date=decode_date(day),
            time=time.hex().upper(),
        )

    def __bytes__(self) -> bytes:
        return _PURSE_LOG.pack(
            self.sequence_number,
            self.overdraft_limit_fen.to_bytes(3, "big"),
            encode_amount(self.amount_fen),
            self.transaction_type,
            _encode_hex(6, self.terminal),
            encode_date(self.date),
            encode_digits(3, self.time),
        )


class MedicalDetailRecord(NamedTuple):
    """One record of the medical transaction detail, DF04 EF08, 28 bytes; its amounts are BCD."""

    sequence_number: int
    transaction_type: str
    """One character."""
    terminal: str
    """Up to twelve digits."""
    moment: str
    """YYYYMMDDhhmmss."""
    account_fen: int
    """Paid from the personal account (个人账户)."""
    self_paid_fen: int
    """Paid by the holder (个人自负)."""
    pool_fen: int
    """Paid by the pooled fund (统筹)."""

    @classmethod
    def parse(cls, raw: bytes) -> MedicalDetailRecord:
        """The record that these bytes are.

        Raises:
            CodecError: not 28 bytes, or digits that are none.
        """
        if len(raw) != _MEDICAL_DETAIL.size:
            raise CodecError(f"a medical detail record has {_MEDICAL_DETAIL.size} bytes, these are {len(raw)}")
        number, kind, terminal, moment, *amounts = _MEDICAL_DETAIL.unpack(raw)
        account, self_paid, pool = (int(decode_digits(amount) or "0") for amount in amounts)
        return cls(
            sequence_number=int(decode_digits(number) or "0"),
            transaction_type=decode(FieldFormat.AN, 1, kind),
            terminal=decode_digits(terminal),
            moment=decode_digits(moment),
            account_fen=account,
            self_paid_fen=self_paid,
            pool_fen=pool,
        )

    def __bytes__(self) -> bytes:
        return _MEDICAL_DETAIL.pack(
            encode_digits(2, f"{self.sequence_number:04d}"),
            _encode_text(1, self.transaction_type),
            encode_digits(6, self.terminal),
            encode_digits(7, self.moment),
            encode_digits(4, f"{self.account_fen:08d}"),
            encode_digits(4, f"{self.self_paid_fen:08d}"),
            encode_digits(4, f"{self.pool_fen:08d}"),
        )
