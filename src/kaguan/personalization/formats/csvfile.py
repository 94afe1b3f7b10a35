"""A CSV file as rows, in bounded memory whatever the file holds.

The bytes are UTF-8 or GB18030. Which of them is found by reading the whole file once, for a file of a hundred thousand
plain rows may hold its first Chinese character in the last; a file that is valid UTF-8 to its end is UTF-8.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.formats.source import MOST_CELL_CHARACTERS, MOST_COLUMNS, SourceForm, SourceRow

LONGEST_LINE = 262_144
"""Bytes; a longer line is never read whole."""

MOST_LINES_A_ROW = 200
"""Line breaks may stand inside quotes; more of them than this are a quote that nobody closed."""

UTF_8, GB18030, AUTO = "utf-8", "gb18030", "auto"
_BOM = codecs.BOM_UTF8
_CHUNK = 1 << 20


def read_csv(path: Path, form: SourceForm) -> Iterator[SourceRow]:
    """The file's rows, empty ones left out; a row's number is the line on which it begins.

    Raises:
        OrderError: with the line where it is no CSV of that form, or greater than an order's rows ever are.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        encoding = _encoding(stream, form.encoding, path.name)
        stream.seek(0)
        lines = _Lines(stream, encoding, path.name)
        reader = csv.reader(lines, delimiter=form.delimiter, quotechar=form.quote, strict=True)
        while True:
            lines.begin_row()
            begin = lines.number + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise OrderError(f"no CSV of this form: {_reason(error)}", file=path.name, line=begin) from None
            if cells is None:
                return
            if not any(cells):
                continue
            _check_size(cells, path.name, begin)
            yield SourceRow(begin, cells)


class _Lines:
    """The file's lines as text, each judged before it is decoded. An iterator, as `csv` wants it."""

    def __init__(self, stream: IO[bytes], encoding: str, file: str) -> None:
        self.number = 0
        self._first = 1
        self._stream = stream
        self._encoding = encoding
        self._file = file

    def begin_row(self) -> None:
        """The next line is the first of a row."""
        self._first = self.number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._stream.readline(LONGEST_LINE + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            raw = raw.removeprefix(_BOM)
        if len(raw) > LONGEST_LINE:
            raise self._refusal(f"more than {LONGEST_LINE} bytes in a line")
        if self.number - self._first >= MOST_LINES_A_ROW:
            raise OrderError("a quote is never closed", file=self._file, line=self._first)
        if b"\0" in raw:
            raise self._refusal("a NUL byte: the file is binary, UTF-16 or damaged")
        try:
            return raw.decode("ascii") if raw.isascii() else self._decoded(raw)
        except UnicodeDecodeError as error:
            wrong = raw[error.start : error.end].hex().upper()
            raise self._refusal(f"bytes {wrong} at offset {error.start} are no UTF-8") from None
        except CodecError as error:
            raise self._refusal(str(error)) from None

    def _decoded(self, raw: bytes) -> str:
        return textcodec.normalise(raw.decode()) if self._encoding == UTF_8 else textcodec.decode(raw)

    def _refusal(self, reason: str) -> OrderError:
        return OrderError(reason, file=self._file, line=self.number)


def _encoding(stream: IO[bytes], named: str, file: str) -> str:
    """The encoding to read in: the named one, after a look at whether it can be."""
    start = stream.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise OrderError("the file is UTF-16: save it as CSV UTF-8 or as GB18030", file=file)
    if start.startswith(b"PK\x03\x04") or start == b"\xd0\xcf\x11\xe0":
        raise OrderError("the file is no CSV but a zip or a workbook", file=file)
    has_mark = start.startswith(_BOM)
    if named == GB18030 and has_mark:
        raise OrderError("the mapping says gb18030, but the file begins with the mark of UTF-8", file=file)
    if named == UTF_8 or has_mark:
        return UTF_8
    stream.seek(0)
    is_utf_8, ascii_only = _is_utf_8(stream)
    if named == AUTO:
        return UTF_8 if is_utf_8 else GB18030
    if is_utf_8 and not ascii_only:
        raise OrderError("the mapping says gb18030, but the file is UTF-8", file=file)
    return GB18030


def _is_utf_8(stream: IO[bytes]) -> tuple[bool, bool]:
    """Whether the whole stream is UTF-8, and whether it is plain ASCII even."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    ascii_only = True
    try:
        while chunk := stream.read(_CHUNK):
            ascii_only = ascii_only and chunk.isascii()
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False, False
    return True, ascii_only


def _reason(error: csv.Error) -> str:
    text = str(error)
    return "a cell is too long, or a quote is never closed" if "field limit" in text else text


def _check_size(cells: list[str], file: str, line: int) -> None:
    if len(cells) > MOST_COLUMNS:
        raise OrderError(f"{len(cells)} columns, more than {MOST_COLUMNS}", file=file, line=line)
    if any(len(cell) > MOST_CELL_CHARACTERS for cell in cells):
        raise OrderError(f"a cell of more than {MOST_CELL_CHARACTERS} characters", file=file, line=line)
