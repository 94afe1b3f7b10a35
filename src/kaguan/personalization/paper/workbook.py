"""The job's figures as a workbook: counts, stations, rejects by reason, and the timeline.

Rows are written as they come, in constant memory. A text is always a text: what begins like a formula is marked with
the quote prefix, so that no spreadsheet computes it, not even after it was edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from kaguan.apdu.errors import InputError
from kaguan.durable import whole_file
from kaguan.personalization.paper.qcreport import StationRow, by_count

_LIKE_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MOST_ROWS = 1_048_575
_LONGEST_TEXT = 32_767
_WIDTHS = (30, 16, 16, 16, 16, 16, 16)


class Moment(NamedTuple):
    """How the job stood at a time. The time is written without its zone: give all in one."""

    at: datetime
    good: int
    rejected: int
    waiting: int
    stations: int


def write_workbook(
    path: Path,
    counts: Mapping[str, int],
    stations: Iterable[StationRow],
    rejects: Mapping[str, int],
    timeline: Iterable[Moment],
    *,
    written_at: datetime,
) -> None:
    """The file holds the four sheets; the same input gives the same bytes.

    Raises:
        InputError: more rows than a sheet holds: write one workbook a job, or a coarser timeline.
        OSError: no room or no right; the file is then what it was before.
    """
    with whole_file(path, mode=0o600) as file:  # some figures are of few people
        book = Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
        book.set_properties({"title": "Job statistics", "created": written_at.replace(tzinfo=None)})
        sheets = _Sheets(book)
        sheets.write("counts", ("what", "cards"), counts.items())
        sheets.write("stations", StationRow._fields, stations)
        sheets.write("rejects by reason", ("reason", "cards"), by_count(rejects))
        sheets.write("timeline", Moment._fields, timeline)
        book.close()


class _Sheets:
    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._bold: Format = book.add_format({"bold": True})
        self._time: Format = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._quoted: Format = book.add_format({"quote_prefix": True})

    def write(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for column, title in enumerate(columns):
            sheet.set_column(column, column, _WIDTHS[column])
            sheet.write_string(0, column, title.replace("_", " "), self._bold)
        for number, row in enumerate(rows, 1):
            if number > _MOST_ROWS:
                raise InputError(f"sheet {name!r} has more than {_MOST_ROWS} rows")
            for column, value in enumerate(row):
                self._cell(sheet, number, column, value)

    def _cell(self, sheet: Worksheet, row: int, column: int, value: object) -> None:
        if isinstance(value, datetime):
            sheet.write_datetime(row, column, value.replace(tzinfo=None), self._time)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, value)
        else:
            text = str(value)[:_LONGEST_TEXT]
            sheet.write_string(row, column, text, self._quoted if text.startswith(_LIKE_A_FORMULA) else None)
