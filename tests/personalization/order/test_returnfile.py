"""What a bureau returns is read back as it was written, or refused with its line."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.order.reading import Holder
from kaguan.personalization.order.returnfile import (
    RejectRow,
    ReturnRow,
    read_rejects,
    read_return,
    write_rejects,
    write_return,
)
from personalization.orders import holder

HOLDER = Holder(4, 1, "T1", holder(1))
ROW = ReturnRow.of(HOLDER, card_ident_code=bytes.fromhex("990100D15600000501000001F846174E"), atr=b"\x3b\x6d")
HEADER = (
    "task_id|data_seq|customer_id|name|cert_no|card_no|rf_card_no|main_type|sub_type|barcode|card_ident_code|atr|"
    "rf_atr|bank_card_no|bank_voucher_no\r\n"
)

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="|"), min_size=1, max_size=9)
rows = st.builds(
    ReturnRow,
    *[texts.map(textcodec.normalise)] * 10,
    *[st.binary(min_size=1, max_size=16).map(lambda raw: raw.hex().upper())] * 3,
    *[texts.map(textcodec.normalise)] * 2,
)


def written(*found: ReturnRow) -> io.BytesIO:
    stream = io.BytesIO()
    assert write_return(stream, found) == len(found)
    stream.seek(0)
    return stream


@given(st.lists(rows, max_size=4))
def test_cards_come_back(found: list[ReturnRow]) -> None:
    assert list(read_return(written(*found))) == found


@given(texts.map(textcodec.normalise), texts.map(textcodec.normalise))
def test_rejects_come_back(stage: str, reason: str) -> None:
    row = RejectRow.of(HOLDER, stage=stage, reason=reason)
    stream = io.BytesIO()
    write_rejects(stream, [row])
    stream.seek(0)
    assert list(read_rejects(stream)) == [row]


def test_the_bytes_are_the_bureaus() -> None:
    columns = holder(1)
    text = written(ROW).getvalue().decode("gb18030")
    assert text == HEADER + (
        f"T1|000001|C00000000001|王䶮|{columns['cert_no']}|{columns['ssseef0507']}|||||"
        f"990100D15600000501000001F846174E|3B6D||{columns['bank_card_no']}|\r\n"
    )


def test_a_row_shows_no_person() -> None:
    assert repr(ROW) == "<ReturnRow T1/000001>"


@pytest.mark.parametrize("text", ["a|b", "a\nb", "a\rb", "a\0", "\ud800"])
def test_what_would_break_the_form_is_not_written(text: str) -> None:
    with pytest.raises(CodecError):
        write_return(io.BytesIO(), [ROW._replace(barcode=text)])
    with pytest.raises(CodecError):
        write_rejects(io.BytesIO(), [RejectRow.of(HOLDER, stage="write", reason=text)])


@pytest.mark.parametrize(
    ("spoil", "line", "reason"),
    [
        (lambda raw: b"", 0, "is empty"),
        (lambda raw: raw.replace(b"task_id", b"task", 1), 1, "the header is not"),
        (lambda raw: raw.replace(b"|3B6D|", b"|3b6d|"), 2, "atr is not upper-case hex"),
        (lambda raw: raw.replace(b"|3B6D|", b"||"), 2, "atr is empty"),
        (lambda raw: raw.replace(b"|3B6D|", b"|3B6|"), 2, "atr is not upper-case hex"),
        (lambda raw: raw.replace(b"|000001|", b"000001|"), 2, "14 columns instead of 15"),
        (lambda raw: raw.replace(b"|000001|", b"||"), 2, "data_seq is empty"),
        (lambda raw: raw.replace(b"|C0000", b"|\xff0000"), 2, "no GB18030"),
        (lambda raw: raw[:-1], 2, "CR LF"),
        (lambda raw: raw.replace(b"\r\n", b"\n"), 1, "CR LF"),
        (lambda raw: raw + b"\r\n", 3, "1 columns"),
        (lambda raw: b"\xef\xbb\xbf" + raw, 1, "byte order mark"),
        (lambda raw: raw.decode("gb18030").encode("utf-16"), 1, "UTF-16"),
    ],
)
def test_a_spoiled_file_is_refused_by_line(spoil: object, line: int, reason: str) -> None:
    assert callable(spoil)
    stream = io.BytesIO(spoil(written(ROW).getvalue()))
    with pytest.raises(OrderError, match=reason) as told:
        list(read_return(stream, file="good.txt"))
    assert told.value.line == line
    assert told.value.file == "good.txt"
