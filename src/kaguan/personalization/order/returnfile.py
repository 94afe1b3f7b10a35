"""The bureau's answer to an order: one file of the cards made, one of the rows refused.

Both begin with their column names and are written in the order's own text form. The caller writes a new file beside
the old one and renames it: a torn return file must never be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, Self, TypeVar

from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.order.pipetext import Line, encode_line, lines, wrong_code_page
from kaguan.personalization.order.reading import Holder


class ReturnRow(NamedTuple):
    """A card made. Numbers of the chip are upper-case hex; what a card has not stays empty."""

    task_id: str
    data_seq: str
    customer_id: str
    name: str
    cert_no: str
    card_no: str
    rf_card_no: str = ""
    main_type: str = ""
    sub_type: str = ""
    barcode: str = ""
    card_ident_code: str = ""
    atr: str = ""
    rf_atr: str = ""
    bank_card_no: str = ""
    bank_voucher_no: str = ""

    @classmethod
    def of(cls, holder: Holder, *, card_ident_code: bytes, atr: bytes, rf_atr: bytes = b"") -> Self:
        """The row for a holder's card with this card identification code and these answers to reset."""
        return cls(
            *_identification(holder),
            card_ident_code=card_ident_code.hex().upper(),
            atr=atr.hex().upper(),
            rf_atr=rf_atr.hex().upper(),
            bank_card_no=holder.bank_card_no,
        )

    def __repr__(self) -> str:
        """The place in the order alone: the rest is personal."""
        return f"<{type(self).__name__} {self.task_id}/{self.data_seq}>"


class RejectRow(NamedTuple):
    """A row from which no card was made, at which stage of the line, and why."""

    task_id: str
    data_seq: str
    customer_id: str
    name: str
    cert_no: str
    card_no: str
    stage: str
    reason: str

    @classmethod
    def of(cls, holder: Holder, *, stage: str, reason: str) -> Self:
        """The row for a holder without a card."""
        return cls(*_identification(holder), stage=stage, reason=reason)

    def __repr__(self) -> str:
        """The place in the order alone: the rest is personal."""
        return f"<{type(self).__name__} {self.task_id}/{self.data_seq}>"


_Row = TypeVar("_Row", ReturnRow, RejectRow)

_NEEDED_OF_A_CARD = ("task_id", "data_seq", "name", "cert_no", "card_no", "card_ident_code", "atr")
_NEEDED_OF_A_REJECT = ("task_id", "data_seq", "stage", "reason")
_HEX = ("card_ident_code", "atr", "rf_atr")


def write_return(stream: BinaryIO, rows: Iterable[ReturnRow]) -> int:
    """The stream holds these cards; their number comes back.

    Raises:
        CodecError: a column holds `|`, a line break or what GB18030 has not; rows before it are written.
    """
    return _write(stream, ReturnRow._fields, rows)


def write_rejects(stream: BinaryIO, rows: Iterable[RejectRow]) -> int:
    """The stream holds these refused rows; their number comes back.

    Raises:
        CodecError: as for `write_return`.
    """
    return _write(stream, RejectRow._fields, rows)


def read_return(stream: BinaryIO, *, file: str = "") -> Iterator[ReturnRow]:
    """The cards in a return file, as they are read.

    Raises:
        OrderError: with the line that is out of form; `file` is the name to show.
    """
    return _read(stream, ReturnRow, file, _return_reason)


def read_rejects(stream: BinaryIO, *, file: str = "") -> Iterator[RejectRow]:
    """The refused rows in a reject file, as they are read.

    Raises:
        OrderError: with the line that is out of form; `file` is the name to show.
    """
    return _read(stream, RejectRow, file, _reject_reason)


def _identification(holder: Holder) -> tuple[str, str, str, str, str, str]:
    columns = holder.columns
    return (
        holder.task_id,
        columns["data_seq"],
        columns["customer_id"],
        holder.name,
        holder.id_no,
        holder.card_no,
    )


def _write(stream: BinaryIO, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> int:
    stream.write(encode_line(names))
    count = 0
    for row in rows:
        stream.write(encode_line(row))
        count += 1
    return count


def _read(
    stream: BinaryIO, kind: type[_Row], file: str, reason_against: Callable[[_Row], str | None]
) -> Iterator[_Row]:
    header_seen = False
    for line in lines(stream):
        columns = _columns(line, file)
        if not header_seen:
            if tuple(columns) != kind._fields:
                raise OrderError(f"the header is not {'|'.join(kind._fields)}", file=file, line=1)
            header_seen = True
            continue
        if len(columns) != len(kind._fields):
            reason = f"{len(columns)} columns instead of {len(kind._fields)}"
            raise OrderError(reason, file=file, line=line.number)
        row = kind(*columns)
        if wrong := reason_against(row):
            raise OrderError(wrong, file=file, line=line.number)
        yield row
    if not header_seen:
        raise OrderError("the file is empty", file=file)


def _columns(line: Line, file: str) -> list[str]:
    code_page = wrong_code_page(line.raw) if line.number == 1 else None
    if code_page:
        raise OrderError(f"the file is {code_page}, not GB18030", file=file, line=1)
    if not line.ended:
        raise OrderError("the line does not end in CR LF: the file is cut off", file=file, line=line.number)
    try:
        return line.columns()
    except CodecError as error:
        raise OrderError(str(error), file=file, line=line.number) from None


def _return_reason(row: ReturnRow) -> str | None:
    for name in _HEX:
        text = getattr(row, name)
        if len(text) % 2 or text.strip("0123456789ABCDEF"):
            return f"{name} is not upper-case hex"
    return _empty_reason(row, _NEEDED_OF_A_CARD)


def _reject_reason(row: RejectRow) -> str | None:
    return _empty_reason(row, _NEEDED_OF_A_REJECT)


def _empty_reason(row: ReturnRow | RejectRow, needed: tuple[str, ...]) -> str | None:
    return next((f"{name} is empty" for name in needed if not getattr(row, name)), None)
