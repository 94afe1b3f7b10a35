"""What an XLSX file must not be before anything reads it as a workbook.

A workbook is a zip of XML. Its parser keeps one row, one shared text and all small parts in memory, so the zip is read
once before: nothing but plain UTF-8 XML without entities, no part and no row beyond its limit, nothing that runs.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import IO

from kaguan.apdu.errors import OrderError

MOST_MEMBERS = 2_000
GREATEST_SHEET = 4 << 30
GREATEST_TEXTS = 256 << 20
GREATEST_PART = 16 << 20
GREATEST_RATIO = 200
MOST_ROWS = 1_048_576
GREATEST_ROW = 4 << 20
"""Bytes of XML from one row to the next, or of one shared text."""

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)

_CHUNK = 1 << 20
_SMALL = 1 << 20
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0"
_ROW = re.compile(rb"<(?:[\w.-]+:)?(?:row|si)(?:\s[^<>]*?\br\s*=\s*[\"'](\d+)[\"'])?[\s/>]")
_ENCODING = re.compile(rb"^<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)")
_FORBIDDEN = (
    (re.compile(r"vbaProject|macrosheets/|\.bin$", re.IGNORECASE), "holds macros or binary parts"),
    (re.compile(r"externalLinks/|(^|/)connections\.xml$|queryTables/", re.IGNORECASE), "takes data from other files"),
    (re.compile(r"embeddings/|activeX/|ctrlProps/", re.IGNORECASE), "holds embedded objects"),
)
_HARMLESS = re.compile(r"printerSettings/printerSettings\d*\.bin$")


def check_workbook(path: Path) -> None:
    """Nothing happens when the file may be read as a workbook.

    Raises:
        OrderError: saying why not, and what to do.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        if stream.read(4) == _COMPOUND_FILE:
            raise _refusal(path, "is protected by a password or an old .xls: save it as .xlsx without a password")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            for member in archive.infolist():
                if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    with archive.open(member) as part:
                        _check_xml(part, path, member.filename)
    except DAMAGED:
        raise _refusal(path, "is no XLSX workbook, or damaged") from None


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > MOST_MEMBERS:
        raise _refusal(path, f"has {len(members)} parts, more than {MOST_MEMBERS}")
    if len(set(names)) != len(names):
        raise _refusal(path, "holds a part twice")
    for member in members:
        for pattern, reason in _FORBIDDEN:
            if pattern.search(member.filename) and not _HARMLESS.search(member.filename):
                raise _refusal(path, f"{reason}: save the plain sheet as a new .xlsx")
        if member.flag_bits & 1:
            raise _refusal(path, "is encrypted: save it without a password")
        limit = _limit(member.filename)
        if member.file_size > limit:
            raise _refusal(path, f"has a part of {member.file_size} bytes, more than {limit}")
        if member.file_size > max(_SMALL, GREATEST_RATIO * member.compress_size):
            raise _refusal(path, f"is compressed more than {GREATEST_RATIO} times, as no real workbook is")


def _limit(name: str) -> int:
    if "worksheets/" in name:
        return GREATEST_SHEET
    return GREATEST_TEXTS if name.endswith("sharedStrings.xml") else GREATEST_PART


def _check_xml(part: IO[bytes], path: Path, name: str) -> None:
    """Read to the end, in bounded memory: no entities, one encoding, and a row or a shared text ever so often."""
    bounded = "worksheets/" in name or name.endswith("sharedStrings.xml")
    since_row, before = 0, b""
    while chunk := part.read(_CHUNK):
        if not before:
            _check_encoding(chunk, path)
        if b"\0" in chunk:
            raise _refusal(path, "has a part that is not UTF-8")
        window = before[-64:] + chunk  # a tag may lie across the border
        if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
            raise _refusal(path, "declares XML entities, as no real workbook does")
        if bounded:
            since_row = _longest_gap(window, since_row, path)
        before = chunk


def _check_encoding(start: bytes, path: Path) -> None:
    found = _ENCODING.match(start.removeprefix(b"\xef\xbb\xbf")[:200])
    if found and found[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise _refusal(path, "has a part that is not UTF-8")
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        raise _refusal(path, "has a part that is no XML")


def _longest_gap(window: bytes, since_row: int, path: Path) -> int:
    """The bytes since the last row, after this window."""
    position = 0
    for match in _ROW.finditer(window):
        since_row += match.start() - position
        position = match.start()
        if match[1] and int(match[1][:20]) > MOST_ROWS:
            raise _refusal(path, f"has a row beyond the last one, {MOST_ROWS}")
        if since_row > GREATEST_ROW:
            break
        since_row = 0
    else:
        since_row += len(window) - position
    if since_row > GREATEST_ROW:
        raise _refusal(path, f"has a row or a text of more than {GREATEST_ROW} bytes")
    return since_row


def _refusal(path: Path, reason: str) -> OrderError:
    return OrderError(f"the workbook {reason}", file=path.name)
