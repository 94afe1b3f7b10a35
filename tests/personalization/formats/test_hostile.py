"""Files that somebody made to hurt: each gives one clear error, in little memory."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from kaguan.apdu.errors import OrderError
from kaguan.personalization.formats.csvfile import read_csv
from kaguan.personalization.formats.source import SourceForm, SourceRow
from kaguan.personalization.formats.xlsxfile import read_xlsx

pytestmark = pytest.mark.slow

LITTLE = 60 << 20
MIB = 1 << 20


@contextmanager
def in_little_memory() -> Iterator[None]:
    """What happens within needs less than `LITTLE` bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < LITTLE


def csv_rows(path: Path, raw: bytes, **form: object) -> list[SourceRow]:
    path.write_bytes(raw)
    return list(read_csv(path, SourceForm(**form)))  # type: ignore[arg-type]


CSV = {
    "one endless line": (b"x" * (20 * MIB), "more than 262144 bytes in a line"),
    "a million columns": (b"," * 200_000 + b"x\n", "columns, more than 1000"),
    "a huge cell": (b'"' + b"\xe5\xad\x97" * 80_000 + b'"\n', "a cell of more than 32767 characters"),
    "a cell over many lines": (b'"' + (b"x" * 60_000 + b"\n") * 190 + b'"', "a cell is too long"),
    "a quote that is never closed": (b'a,"b\n' + b"c\n" * 100_000, "a quote is never closed"),
    "text behind a quote": (b'a,"b"c\n', "no CSV of this form"),
    "NUL": (b"a,b\n\0,c\n", "a NUL byte"),
    "UTF-16": ("a,b\n".encode("utf-16"), "UTF-16"),
    "a zip": (b"PK\x03\x04" + bytes(100), "no CSV but a zip"),
    "cut inside a character": ("王".encode("gb18030") + b",x\n\x81", "no GB18030 character"),
}


@pytest.mark.parametrize("name", CSV)
def test_a_hostile_csv_is_refused(tmp_path, name):
    raw, reason = CSV[name]
    with in_little_memory(), pytest.raises(OrderError, match=reason):
        csv_rows(tmp_path / "sheet.csv", raw)


def test_the_line_is_told(tmp_path):
    with pytest.raises(OrderError) as caught:
        csv_rows(tmp_path / "sheet.csv", "姓名\n王\n".encode() + b"\xff\n", encoding="utf-8")
    assert caught.value.line == 3


def test_the_wrong_code_page_is_told(tmp_path):
    with pytest.raises(OrderError, match="the mapping says gb18030, but the file is UTF-8"):
        csv_rows(tmp_path / "sheet.csv", "姓名\n王䶮\n".encode(), encoding="gb18030")
    with pytest.raises(OrderError, match="are no UTF-8"):
        csv_rows(tmp_path / "sheet.csv", "姓名\n王䶮\n".encode("gb18030"), encoding="utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_rows_or_refused(tmp_path, raw):
    with suppress(OrderError):
        assert all(any(row.cells) for row in csv_rows(tmp_path / "sheet.csv", raw))


def plain_book() -> dict[str, bytes]:
    """The parts of a small workbook."""
    book = Workbook()
    book.active.append(["姓名", "号"])
    book.active.append(["王䶮", "1"])
    raw = io.BytesIO()
    book.save(raw)
    with zipfile.ZipFile(raw) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
DOCTYPE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>'
XXE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'


def sheet_of(data: bytes) -> bytes:
    return (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + data
        + b"</sheetData></worksheet>"
    )


def noise(size: int) -> bytes:
    """Text that does not compress beyond measure."""
    return b"".join(b"%d " % (number * 7919 % 1_000_003) for number in range(size // 7))


def row_of(cells: int) -> bytes:
    names = (b"".join(b"%c" % (65 + n // 26**p % 26) for p in (2, 1, 0)) for n in range(cells))
    return (
        b'<row r="1">' + b"".join(b'<c r="%s1"><v>%d</v></c>' % (n, i * 7919) for i, n in enumerate(names)) + b"</row>"
    )


Spoil = Callable[[dict[str, bytes]], object]
BOOKS: dict[str, tuple[Spoil, str]] = {
    "external entity": (lambda parts: parts.update({SHEET: XXE}), "declares XML entities"),
    "entities in the texts": (lambda parts: parts.update({TEXTS: DOCTYPE + b"<sst/>"}), "declares XML entities"),
    "UTF-16 part": (lambda parts: parts.update({SHEET: XXE.decode().encode("utf-16")}), "no XML"),
    "UTF-16 behind a first line": (
        lambda parts: parts.update({SHEET: b"<x>" + XXE.decode().encode("utf-16")}),
        "not UTF-8",
    ),
    "EBCDIC part": (
        lambda parts: parts.update({SHEET: '<?xml version="1.0" encoding="cp037"?><x/>'.encode("cp037")}),
        "no XML",
    ),
    "another encoding": (
        lambda parts: parts.update({SHEET: b'<?xml version="1.0" encoding="cp037"?><x/>'}),
        "not UTF-8",
    ),
    "macros": (lambda parts: parts.update({"xl/vbaProject.bin": b"x"}), "holds macros"),
    "external link": (
        lambda parts: parts.update({"xl/externalLinks/externalLink1.xml": b"<x/>"}),
        "takes data from other",
    ),
    "connection": (lambda parts: parts.update({"xl/connections.xml": b"<x/>"}), "takes data from other files"),
    "embedded object": (lambda parts: parts.update({"xl/embeddings/one.bin": b"x"}), "holds macros or binary|embedded"),
    "zip bomb": (lambda parts: parts.update({SHEET: b" " * (40 * MIB)}), "compressed more than 200 times"),
    "great small part": (
        lambda parts: parts.update({"xl/styles.xml": noise(17 * MIB)[: 17 * MIB]}),
        "more than 16777216",
    ),
    "one huge cell": (
        lambda parts: parts.update(
            {SHEET: sheet_of(b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + noise(9 * MIB) + b"</t></is></c></row>")}
        ),
        "a row or a text of more than 4194304 bytes",
    ),
    "too many columns": (lambda parts: parts.update({SHEET: sheet_of(row_of(1500))}), "columns, more than 1000"),
    "a row beyond all rows": (
        lambda parts: parts.update({SHEET: sheet_of(b'<row r="99999999999"><c r="A1"><v>1</v></c></row>')}),
        "a row beyond the last one",
    ),
    "cut off XML": (lambda parts: parts.update({SHEET: parts[SHEET][:-30]}), "damaged"),
    "no sheet": (lambda parts: parts.pop(SHEET), "no visible sheet"),
    "no workbook": (lambda parts: parts.pop("xl/workbook.xml"), "damaged"),
    "no text of that number": (
        lambda parts: parts.update({SHEET: sheet_of(b'<row r="1"><c r="A1" t="s"><v>9</v></c></row>')}),
        "damaged",
    ),
    "a cell far outside": (
        lambda parts: parts.update({SHEET: sheet_of(b'<row r="1"><c r="ZZZZZZ1"><v>1</v></c></row>')}),
        "damaged",
    ),
}


@pytest.mark.parametrize("name", BOOKS)
def test_a_hostile_workbook_is_refused(tmp_path, name):
    spoil, reason = BOOKS[name]
    parts = plain_book()
    spoil(parts)
    path = tmp_path / "sheet.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, raw in parts.items():
            archive.writestr(part, raw)
    with in_little_memory(), pytest.raises(OrderError, match=reason):
        list(read_xlsx(path, SourceForm()))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600), "protected by a password or an old .xls"),
        (b"name,number\n", "no XLSX workbook"),
        (b"", "no XLSX workbook"),
    ],
)
def test_what_is_no_workbook_is_told(tmp_path, raw, reason):
    path = tmp_path / "sheet.xlsx"
    path.write_bytes(raw)
    with pytest.raises(OrderError, match=reason):
        list(read_xlsx(path, SourceForm()))


def test_a_size_that_the_sheet_claims_is_not_believed(tmp_path):
    parts = plain_book()
    parts[SHEET] = parts[SHEET].replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"')
    path = tmp_path / "sheet.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for part, raw in parts.items():
            archive.writestr(part, raw)
    assert [row.cells for row in read_xlsx(path, SourceForm())] == [["姓名", "号"], ["王䶮", "1"]]
