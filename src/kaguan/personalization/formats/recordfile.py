"""Files of fixed-width records: `SH`, `RH` and `BK` with their header and their names."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from kaguan.apdu.errors import CodecError, PlacedInputError
from kaguan.personalization.formats.layout import COUNT_WIDTH, RESERVED, SIZE_WIDTH, FixedLayout, RecordEnd

BANK_WIDTH = 15
_NAME = re.compile(r"([A-Z]{2})_([0-9A-Za-z]+)_([0-9A-Za-z]{15})_(\d{14})(?:\.txt)?", re.ASCII | re.IGNORECASE)
_SAMPLE = 65_536


class RecordFileError(PlacedInputError):
    """A file of records that is not what its layout or its own header says."""


class RecordFileName(NamedTuple):
    """What a record file's name says; `bank` without the zeros in front."""

    prefix: str
    batch: str
    bank: str
    timestamp: str

    @classmethod
    def parse(cls, name: str) -> RecordFileName | None:
        """The parts of a well-formed name, else None."""
        match = _NAME.fullmatch(name)
        return cls(match[1].upper(), match[2], match[3].lstrip("0"), match[4]) if match else None

    @property
    def file_name(self) -> str:
        """The name that says all this."""
        return f"{self.prefix}_{self.batch}_{self.bank.rjust(BANK_WIDTH, '0')}_{self.timestamp}"


class Record(NamedTuple):
    """One record: its number, counted from 1, and its values by field name."""

    number: int
    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Record {self.number} of {len(self.values)} fields>"


def write_records(stream: BinaryIO, layout: FixedLayout, count: int, records: Iterable[Mapping[str, str]]) -> None:
    """The stream holds these records with their header.

    Raises:
        CodecError: a value that does not fit, with record number and field; or not `count` records.
    """
    stream.write(layout.header(count) + layout.record_end.raw)
    number = 0
    for number, values in enumerate(records, 1):
        try:
            stream.write(layout.encode(values) + layout.record_end.raw)
        except CodecError as error:
            raise CodecError(f"record {number}, {error}") from None
    if number != count:
        raise CodecError(f"{number} records where {count} were announced")


class RecordFile:
    """An opened file of records. Iterating gives them all; any of them can be had again by its number."""

    def __init__(self, path: Path, layout: FixedLayout) -> None:
        """The header is read and judged.

        Raises:
            RecordFileError: it is no file of this layout.
            OSError: the file cannot be read.
        """
        self.layout = layout
        self._file_name = path.name
        self._stream = path.open("rb")
        try:
            self.count = self._read_header()
            self._end = self._record_end()
            self._start = self._stream.tell()
            self._check_code_page()
        except BaseException:
            self._stream.close()
            raise

    def close(self) -> None:
        """The file is closed. Closing twice is harmless."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Record]:
        """Every record.

        Raises:
            RecordFileError: one is cut off, shifted or no text; or they are not as many as the header says.
        """
        number = 0
        while (raw := self._raw(number + 1)) is not None:
            number += 1
            yield self._record(number, raw)
        if number != self.count:
            raise self._refusal(f"the header says {self.count} records, there are {number}")

    def record(self, number: int) -> Record:
        """The record of that number.

        Raises:
            RecordFileError: there is none, or it cannot be read.
        """
        raw = self._raw(number)
        if raw is None:
            raise self._refusal("is not there any more: the file was changed while it was read", number)
        return self._record(number, raw)

    def _read_header(self) -> int:
        layout = self.layout
        raw = self._stream.read(layout.header_size)
        prefix = len(layout.prefix)
        if raw[:prefix] != layout.prefix.encode():
            raise self._refusal(f"begins with no {layout.prefix}: it is no {layout.title}, or not in this code page")
        count, size = raw[prefix : prefix + COUNT_WIDTH], raw[prefix + COUNT_WIDTH : prefix + COUNT_WIDTH + SIZE_WIDTH]
        if len(raw) != layout.header_size or not count.isdigit() or not size.isdigit():
            raise self._refusal("the header is cut off, or its counts are no digits")
        if int(size) != layout.record_size:
            raise self._refusal(f"the header says records of {int(size)} bytes, the layout {layout.record_size}")
        if raw[prefix + COUNT_WIDTH + SIZE_WIDTH :].strip(RESERVED.encode() + b" "):
            raise self._refusal(f"the header's reserved bytes are not {RESERVED}")
        return int(count)

    def _record_end(self) -> bytes:
        """The line end in use; what stands behind the header tells it."""
        place = self._stream.tell()
        following = self._stream.read(2)
        ends = (RecordEnd.CRLF.raw, RecordEnd.LF.raw)
        end = next((one for one in ends if following.startswith(one)), b"")
        self._stream.seek(place + len(end))
        return end

    def _check_code_page(self) -> None:
        sample = self._stream.read(_SAMPLE)
        if sample.isascii():
            return
        try:
            codecs.getincrementaldecoder("utf-8")().decode(sample)
        except UnicodeDecodeError:
            return
        raise self._refusal(f"is UTF-8, not {self.layout.encoding.upper()}: its widths cannot be right")

    def _raw(self, number: int) -> bytes | None:
        size, end = self.layout.record_size, self._end
        self._stream.seek(self._start + (number - 1) * (size + len(end)))
        raw = self._stream.read(size + len(end))
        if not raw.strip(b"\x1a\r\n"):
            return None  # the end, or an editor's empty line behind it
        if len(raw) < size:
            raise self._refusal(f"is cut off: {len(raw)} bytes instead of {size}", number)
        if raw[size:] not in (end, b"") or b"\n" in raw[:size]:
            raise self._refusal(f"does not end after {size} bytes: it, or one before it, is too long or short", number)
        return raw[:size]

    def _record(self, number: int, raw: bytes) -> Record:
        try:
            return Record(number, self.layout.decode(raw))
        except CodecError as error:
            raise self._refusal(str(error), number) from None

    def _refusal(self, reason: str, number: int = 0) -> RecordFileError:
        return RecordFileError(f"record {number} {reason}" if number else reason, file=self._file_name)
