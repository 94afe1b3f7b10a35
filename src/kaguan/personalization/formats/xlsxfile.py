"""One sheet of an XLSX workbook as rows, read as a stream after `xlsxguard` has let it in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from openpyxl import load_workbook

from kaguan.apdu import textcodec
from kaguan.apdu.errors import OrderError
from kaguan.personalization.formats.source import (
    MOST_CELL_CHARACTERS,
    MOST_COLUMNS,
    BadCell,
    Cell,
    SourceForm,
    SourceRow,
)
from kaguan.personalization.formats.xlsxguard import DAMAGED, MOST_ROWS, check_workbook

_LOST_DIGITS = 10**15
"""A spreadsheet's numbers are exact below this; beyond, the last digits of a certificate number are gone."""

_BROKEN = (*DAMAGED, ElementTree.ParseError, KeyError, ValueError, TypeError, IndexError, AttributeError)
"""What openpyxl raises on a workbook whose parts do not fit together."""


class SheetNames(NamedTuple):
    """The sheets of a workbook, those that its user does not see apart."""

    visible: tuple[str, ...]
    hidden: tuple[str, ...]


def sheet_names(path: Path) -> SheetNames:
    """The names of the workbook's sheets.

    Raises:
        OrderError: the file is no workbook, or one that must not be read.
        OSError: the file cannot be read.
    """
    check_workbook(path)
    with closing(_opened(path)) as book:
        return _names(book)


def read_xlsx(path: Path, form: SourceForm) -> Iterator[SourceRow]:
    """The rows of the sheet that the form names, or of the only visible one; empty rows are left out.

    Raises:
        OrderError: the file is no workbook or must not be read; there is no such sheet; a row beyond all measure.
        OSError: the file cannot be read.
    """
    check_workbook(path)
    with closing(_opened(path)) as book:
        sheet = book[_chosen(_names(book), form.sheet, path.name)]
        try:
            sheet.reset_dimensions()  # what the file says of its size would be believed
            for number, row in enumerate(_quietly(sheet.iter_rows()), 1):
                if number > MOST_ROWS:
                    raise OrderError(f"more than {MOST_ROWS} rows", file=path.name)
                if len(row) > MOST_COLUMNS:
                    raise OrderError(f"{len(row)} columns, more than {MOST_COLUMNS}", file=path.name, line=number)
                cells = [_cell(cell.value, cell.data_type) for cell in row]
                if any(cells):
                    yield SourceRow(number, cells)
        except _BROKEN:
            raise OrderError("the workbook is damaged, or no sheet of persons", file=path.name) from None


def _quietly(rows: Iterator[Any]) -> Iterator[Any]:
    """The same rows, without openpyxl's warnings, which quote cells."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row = next(rows, None)
        if row is None:
            return
        yield row


def _opened(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions that no order needs
        try:
            return load_workbook(path, read_only=True, data_only=False, keep_links=False)
        except _BROKEN:
            raise OrderError("the workbook is damaged, or no workbook at all", file=path.name) from None


def _names(book: Any) -> SheetNames:
    sheets = book.worksheets
    visible = tuple(sheet.title for sheet in sheets if sheet.sheet_state == "visible")
    return SheetNames(visible, tuple(sheet.title for sheet in sheets if sheet.sheet_state != "visible"))


def _chosen(names: SheetNames, wanted: str | int, file: str) -> str:
    listed = ", ".join(names.visible)
    if isinstance(wanted, str):
        if wanted in names.visible:
            return wanted
        reason = "is hidden: show it first" if wanted in names.hidden else f"is not there; there are {listed}"
        raise OrderError(f"the sheet '{wanted}' {reason}", file=file)
    if wanted:
        if wanted > len(names.visible):
            raise OrderError(f"there is no visible sheet {wanted}; there are {listed}", file=file)
        return names.visible[wanted - 1]
    if not names.visible:
        raise OrderError("the workbook has no visible sheet", file=file)
    if len(names.visible) != 1:
        raise OrderError(f"{len(names.visible)} visible sheets ({listed}): the mapping must name one", file=file)
    return names.visible[0]


def _cell(value: object, kind: str) -> Cell:
    if value is None:
        return ""
    if kind == "f":
        return BadCell("is a formula: paste it as a value", formula=True)
    if kind == "e":
        return BadCell("is a spreadsheet's error value")
    if isinstance(value, bool):
        return BadCell("is TRUE or FALSE, not a text")
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float):
        return _number(value)
    text = str(value)
    if len(text) > MOST_CELL_CHARACTERS:
        return BadCell(f"has more than {MOST_CELL_CHARACTERS} characters")
    return textcodec.normalise(text)


def _number(value: int | float) -> Cell:
    if isinstance(value, float) and not value.is_integer():
        return BadCell("is a number with a fraction")
    if abs(value) >= _LOST_DIGITS:
        return BadCell("was kept as a number and has lost its last digits: make the column text and enter it again")
    return str(int(value))
