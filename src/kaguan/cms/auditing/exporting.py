"""The audit log as a file for others: JSON lines that carry the proof, or a table for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from kaguan.cms.audit import CHAINED, all_entries, as_chained, checked, place_of
from kaguan.cms.canonical import canonical
from kaguan.cms.models import AuditEntry
from kaguan.durable import whole_file
from kaguan.personalization.formats.sheets import write_csv

COLUMNS: Final = (*CHAINED, "hash")


class ExportForm(StrEnum):
    """How the lines are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"


def export_log(file: Path, form: ExportForm) -> int:
    """Leave every line in the file, for its owner only, checked on the way; return how many there are.

    In JSON lines all that a hash covers stands as it is hashed, so that the chain can be checked without us. In a
    table a text that a spreadsheet would compute stands behind an apostrophe.

    Raises:
        ProofFailed: as `audit.verify_chain`; the file is then what it was before.
    """
    lines = checked(all_entries())
    with whole_file(file, mode=0o600) as stream:
        return _write_lines(stream, lines) if form is ExportForm.JSON_LINES else _write_table(stream, lines)


def _write_lines(stream: BinaryIO, entries: Iterator[AuditEntry]) -> int:
    count = 0
    for entry in entries:
        stream.write(canonical(_content(entry)) + b"\n")
        count += 1
    return count


def _write_table(stream: BinaryIO, entries: Iterator[AuditEntry]) -> int:
    def row(entry: AuditEntry) -> list[str]:
        values = _content(entry) | {"sequence": place_of(entry.sequence), "detail": canonical(entry.detail).decode()}
        return [str(values[name]) for name in COLUMNS]

    return write_csv(stream, COLUMNS, (row(entry) for entry in entries))


def _content(entry: AuditEntry) -> dict[str, object]:
    return {**as_chained(vars(entry)), "hash": entry.hash}
