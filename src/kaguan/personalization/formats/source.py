"""A sheet of persons as it comes, whatever file it comes in: rows of cells, read as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

MOST_COLUMNS = 1_000
MOST_CELL_CHARACTERS = 32_767
"""A spreadsheet's own limit for one cell; nothing in an order is as long."""


class BadCell(NamedTuple):
    """A cell whose value is not to be had, and why. A formula spoils its row even where no column wants it."""

    reason: str
    formula: bool = False


Cell = str | date | BadCell


class SourceRow(NamedTuple):
    """One row: its number as the user sees it (the line where it begins, or the sheet's row), and its cells."""

    number: int
    cells: Sequence[Cell]

    def __repr__(self) -> str:
        return f"<SourceRow {self.number} of {len(self.cells)} cells>"


@dataclass(frozen=True, slots=True)
class SourceForm:
    """How the sheet's file is written. `header` is the row of the column names, 0 when there is none."""

    kind: str = ""
    encoding: str = "auto"
    delimiter: str = ","
    quote: str = '"'
    header: int = 1
    sheet: str | int = 0
