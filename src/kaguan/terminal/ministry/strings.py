"""The strings of the ministry's calls: fields with | behind each, files with $ behind each.

    pCardInfo   识别码|卡号|
    pFileAddr   SSSEEF05|01|07|$DF02EF15|99:01|0F|$DF04EF08:01$
    data        SSSEEF05|990100D156...|A00000011|$DF02EF15|101,20200201,990101|20200201|$DF04EF08:0001,2,...$
    pPayInfo    0.1|0.2|20240101120000|

Law 1. Any text is either taken apart wholly or refused with a number: -23, or -20 for a card identification code.
Law 2. Nothing that a card holds can pass for a separator: a value with one in it is refused with -15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from kaguan.apdu import codecs
from kaguan.apdu.errors import CodecError
from kaguan.terminal.ministry.number import CallFailed, Number

FIELD_END, FILE_END, OCCURRENCE = "|", "$", ":"
LONGEST_TEXT = 8192
"""More than all fields of a card together."""

_ISSUER_CODE = "D156000005"
_IDENT_CODE = re.compile(rf"[0-9]{{6}}{_ISSUER_CODE}[0-9A-F]{{8}}(?:[0-9A-F]{{8}})?", re.ASCII)
_FILE = re.compile(r"(MF|3F00|DDF1|SSSE|DF[0-9A-F]{2})(EF[0-9A-F]{2})", re.ASCII)
_TAG = re.compile(r"([0-9A-F]{2})(?::([0-9A-F]{2}))?", re.ASCII)
_MOMENT = re.compile(r"[0-9]{14}", re.ASCII)


class CardInfo(NamedTuple):
    """The card that the caller means."""

    ident_code: str
    card_no: str


class FieldAddress(NamedTuple):
    """A tag, and which of its records, from 1."""

    tag: int
    occurrence: int


class FileAddress(NamedTuple):
    """A file, as the caller names it, and what of it is meant: fields, or in a cyclic file one record, from 1."""

    text: str
    dedicated: str
    name: str
    fields: tuple[FieldAddress, ...]
    record: int = 0


class PayInfo(NamedTuple):
    """Two amounts, whose meaning a setting says, and the moment."""

    amounts_fen: tuple[int, int]
    when: datetime


def fields_text(values: Iterable[str]) -> str:
    """The fields, each with its end.

    Raises:
        CallFailed: -15, a value holds a separator.
    """
    return "".join(f"{_separable(value)}{FIELD_END}" for value in values)


def data_text(address: FileAddress, values: Sequence[str]) -> str:
    """The file with its data in the places of the tags, or of the record's number.

    Raises:
        CallFailed: -15, a value holds a separator.
    """
    if address.record:
        return f"{address.text}{OCCURRENCE}{_separable(values[0])}{FILE_END}"
    return f"{address.text}{FIELD_END}{fields_text(values)}{FILE_END}"


def is_ident_code(text: str) -> bool:
    """Whether this has the form of a card identification code, with its MAC or, as some systems keep it, without."""
    return _IDENT_CODE.fullmatch(text) is not None


def parse_card_info(text: str) -> CardInfo:
    """The card that is meant.

    Raises:
        CallFailed: -23 not two fields, -20 no card identification code.
    """
    parts = _fields(text, 2)
    if not is_ident_code(parts[0]):
        raise CallFailed(Number.IDENT_CODE_MALFORMED)
    return CardInfo(*parts)


def parse_file_addresses(text: str) -> tuple[FileAddress, ...]:
    """The files, in the caller's order.

    Raises:
        CallFailed: -23.
    """
    return tuple(map(_file_address, _files(text)))


def parse_data(text: str, addresses: Sequence[FileAddress]) -> tuple[tuple[str, ...], ...]:
    """The values for each of these files, one a field, or one for the record.

    Raises:
        CallFailed: -23, other files or another number of values than the addresses have.
    """
    files = _files(text)
    if len(files) != len(addresses):
        raise CallFailed(Number.ILLEGAL_INPUT)
    return tuple(_values(file, address) for file, address in zip(files, addresses, strict=True))


def parse_pay_info(text: str) -> PayInfo:
    """What is to be paid, and when.

    Raises:
        CallFailed: -23.
    """
    first, second, moment = _fields(text, 3)
    try:
        if not _MOMENT.fullmatch(moment):
            raise CallFailed(Number.ILLEGAL_INPUT)
        when = datetime.strptime(moment, "%Y%m%d%H%M%S")  # noqa: DTZ007 - cards know no time zones
        amounts = codecs.parse_amount(first), codecs.parse_amount(second)
        for amount in amounts:
            codecs.encode_amount(amount)
    except (CodecError, ValueError):
        raise CallFailed(Number.ILLEGAL_INPUT) from None
    return PayInfo(amounts, when)


def parse_cryptograms(text: str, *sizes: int) -> tuple[bytes, ...]:
    """The results of a hardware security module, of these sizes in bytes, with or without | between and behind them.

    Raises:
        CallFailed: -42 another length, -41 something other than hex digits.
    """
    digits = significant(text)
    if len(digits) != 2 * sum(sizes):
        raise CallFailed(Number.WRONG_LENGTH)
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits, re.ASCII):
        raise CallFailed(Number.ILLEGAL_CHARACTER)
    whole, found = bytes.fromhex(digits), []
    for size in sizes:
        found.append(whole[:size])
        whole = whole[size:]
    return tuple(found)


def significant(text: str) -> str:
    """The text without the ends of its fields."""
    return text.replace(FIELD_END, "")


def _fields(text: str, count: int) -> list[str]:
    parts = text.split(FIELD_END)
    if len(text) > LONGEST_TEXT or len(parts) != count + 1 or parts[-1]:
        raise CallFailed(Number.ILLEGAL_INPUT)
    return parts[:-1]


def _files(text: str) -> list[str]:
    parts = text.split(FILE_END)
    if len(text) > LONGEST_TEXT or len(parts) < 2 or parts[-1]:
        raise CallFailed(Number.ILLEGAL_INPUT)
    return parts[:-1]


def _file_address(text: str) -> FileAddress:
    head, end, rest = text.partition(FIELD_END)
    file, occurrence, number = head.partition(OCCURRENCE)
    named = _FILE.fullmatch(file)
    if named is None or bool(occurrence) == bool(end):
        raise CallFailed(Number.ILLEGAL_INPUT)
    if occurrence:
        return FileAddress(file, named[1], named[2], (), _number(number))
    tags = _fields(rest, rest.count(FIELD_END))
    if not tags:
        raise CallFailed(Number.ILLEGAL_INPUT)
    return FileAddress(file, named[1], named[2], tuple(map(_field_address, tags)))


def _field_address(text: str) -> FieldAddress:
    found = _TAG.fullmatch(text)
    if found is None:
        raise CallFailed(Number.ILLEGAL_INPUT)
    return FieldAddress(int(found[1], 16), _number(found[2] or "01"))


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9A-F]{2}", text, re.ASCII) or text == "00":
        raise CallFailed(Number.ILLEGAL_INPUT)
    return int(text, 16)


def _values(text: str, address: FileAddress) -> tuple[str, ...]:
    separator = OCCURRENCE if address.record else FIELD_END
    file, found, rest = text.partition(separator)
    if file != address.text or not found:
        raise CallFailed(Number.ILLEGAL_INPUT)
    if address.record:
        return (rest,)
    return tuple(_fields(rest, len(address.fields)))


def _separable(value: str) -> str:
    if FIELD_END in value or FILE_END in value:
        raise CallFailed(Number.CORRUPT)
    return value
