"""The workbook: read back by another library, in constant memory, and nothing in it computes."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import openpyxl
import pytest

from kaguan.personalization.paper.qcreport import StationRow
from kaguan.personalization.paper.workbook import Moment, write_workbook

pytestmark = pytest.mark.slow

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
STATIONS = [StationRow("1", "M1", "早班", "wang", 98, 2, 301.25)]
EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|'/c calc'!A0", "＝1", "http://example.invalid", "{=1}"]


def moments(count: int):
    """A timeline."""
    return (Moment(AT + timedelta(seconds=i), i, 0, count - i, 2) for i in range(count))


def test_another_library_reads_the_four_sheets(tmp_path):
    path = tmp_path / "job.xlsx"
    write_workbook(path, {"good": 98, "rejected": 2}, STATIONS, {"chip not blank": 2}, moments(3), written_at=AT)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["counts", "stations", "rejects by reason", "timeline"]
    rows = {sheet.title: [tuple(cell.value for cell in row) for row in sheet.rows] for sheet in book}
    assert rows["counts"] == [("what", "cards"), ("good", 98), ("rejected", 2)]
    assert rows["stations"][1] == tuple(STATIONS[0])
    assert rows["rejects by reason"][1] == ("chip not blank", 2)
    assert rows["timeline"][3] == (datetime(2026, 11, 22, 9, 0, 2), 2, 0, 1, 2)
    book.close()


def test_no_text_is_a_formula_or_a_link(tmp_path):
    path = tmp_path / "job.xlsx"
    stations = [StationRow(text, text, text, text, 0, 0, 0.0) for text in EVIL]
    write_workbook(path, dict.fromkeys(EVIL, 0), stations, dict.fromkeys(EVIL, 1), moments(1), written_at=AT)
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book for row in sheet.rows for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    assert {cell.value for cell in cells} >= set(EVIL)
    assert all(cell.quotePrefix for cell in cells if str(cell.value).startswith(("=", "+", "-", "@", "\t", "＝")))
    book.close()
    with ZipFile(path) as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist())


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_workbook(tmp_path / name, {"good": 1}, STATIONS, {}, moments(5), written_at=AT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_memory_does_not_grow_with_the_timeline(tmp_path):
    peaks = []
    for count in (500, 4_000):
        tracemalloc.start()
        write_workbook(tmp_path / "t.xlsx", {}, [], {}, moments(count), written_at=AT)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
