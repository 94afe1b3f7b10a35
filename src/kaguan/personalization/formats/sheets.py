"""Tables for people, written as CSV or XLSX, row by row, so that no program takes a text for a formula.

Law. A text that a spreadsheet would compute gets an apostrophe in front, in both forms: one that begins with = + - @
or their full-width forms, with a tab or a line break, or with blanks and then one of these.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import BinaryIO, NamedTuple

from kaguan.apdu.errors import CodecError

Value = str | int | float | date | None

MOST_ROWS = 1_048_576
MOST_CHARACTERS = 32_767
"""A spreadsheet's own limits: rows of a sheet, characters of a cell."""

_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Sheet(NamedTuple):
    """One sheet: its title, the names of its columns, and its rows as they come."""

    title: str
    header: Sequence[str]
    rows: Iterable[Sequence[Value]]


def neutral(text: str) -> str:
    """The text as it may stand in a cell: nothing computes it, and control characters are shown as U+FFFD."""
    clean = _CONTROL.sub("\ufffd", text)
    return f"'{clean}" if _FORMULA.match(clean) else clean


def write_csv(stream: BinaryIO, header: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
    """The stream holds the table as UTF-8 with a byte order mark, as spreadsheets want it; the rows' number comes back.

    Raises:
        CodecError: a text longer than a cell may be.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([_value(name) for name in header])
        count = 0
        for row in rows:
            writer.writerow([_value(value) for value in row])
            count += 1
        return count
    finally:
        text.detach()


def write_xlsx(stream: BinaryIO, sheets: Iterable[Sheet]) -> int:
    """The stream holds a workbook of these sheets; the number of their rows comes back.

    Rows go to a temporary file as they come, so memory does not grow with them.

    Raises:
        CodecError: a text longer than a cell may be, or more rows than a sheet may have.
    """
    from openpyxl import Workbook  # noqa: PLC0415 (an extra, and CSV does without)

    book = Workbook(write_only=True)
    count = 0
    for sheet in sheets:
        page = book.create_sheet(sheet.title)
        page.append([_value(name) for name in sheet.header])
        for number, row in enumerate(sheet.rows, 2):
            if number > MOST_ROWS:
                raise CodecError(f"more than {MOST_ROWS} rows in one sheet: write several, or CSV")
            page.append([_value(value) for value in row])
            count += 1
    book.save(stream)
    return count


def _value(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    safe = neutral(value)
    if len(safe) > MOST_CHARACTERS:
        raise CodecError(f"a text of {len(safe)} characters; a cell holds {MOST_CHARACTERS}")
    return safe
