"""Read sheets of people who are to have a card, and of the cards that checked requests become: CSV in UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final
from uuid import UUID

from kaguan.apdu.errors import OrderError
from kaguan.cms.rules.applying import GUARDIANS, Agent
from kaguan.cms.rules.documents import Document
from kaguan.cms.services.production import RequestRow
from kaguan.cms.services.requests import Applicant
from kaguan.durable import write_whole

APPLICANT_COLUMNS: Final = ("cert_type", "cert_no", "name")
GUARDIAN_COLUMNS: Final = ("guardian_name", "guardian_cert_type", "guardian_cert_no", "guardian_relation")
REQUEST_COLUMNS: Final = ("card_request_id", "card_no", "issue_date", "valid_until", "bank_card_no")


def read_applicants(path: Path) -> list[Applicant]:
    """Return the people of the sheet; it may have the columns of guardians too, filled in for minors.

    A unit that names a guardian says by it that it saw the guardian's original document.

    Raises:
        OrderError: the sheet has other columns, a row that leaves one out, or an unknown relation; with file and line.
    """
    people = []
    for line, (cert_type, cert_no, name, *guardian) in _rows(path, APPLICANT_COLUMNS, more=GUARDIAN_COLUMNS):
        try:
            people.append(Applicant(cert_type, cert_no, name, _guardian(guardian)))
        except ValueError:
            known = ", ".join(relation.name.lower() for relation in GUARDIANS)
            raise OrderError(f"the guardian's relation is none of {known}", file=path.name, line=line) from None
    return people


def _guardian(cells: list[str]) -> Agent | None:
    if not any(cells):
        return None
    name, cert_type, cert_no, relation = cells
    relations = {one.name.lower(): one for one in GUARDIANS}
    if relation not in relations:
        raise ValueError(relation)
    return Agent(name, Document(cert_type, cert_no, original=True), relations[relation])


def read_request_rows(path: Path) -> list[RequestRow]:
    """Return the cards of the sheet; days are YYYY-MM-DD, the bank card's number may stay empty.

    Raises:
        OrderError: as `read_applicants`, or a cell is no request's id or no day.
    """
    rows = []
    for line, (request, card_no, issue_date, valid_until, bank_card_no) in _rows(path, REQUEST_COLUMNS, optional=1):
        try:
            days = date.fromisoformat(issue_date), date.fromisoformat(valid_until)
            rows.append(RequestRow(UUID(request), card_no, *days, bank_card_no))
        except ValueError as error:
            raise OrderError(f"the row is no card of a request: {error}", file=path.name, line=line) from None
    return rows


def write_request_rows(path: Path, rows: Sequence[RequestRow]) -> None:
    """Leave the cards in a sheet of their own, in the form that `read_request_rows` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(REQUEST_COLUMNS)
    for row in rows:
        writer.writerow([row.card_request_id, row.card_no, row.issue_date, row.valid_until, row.bank_card_no])
    write_whole(path, text.getvalue().encode())


def _rows(
    path: Path, columns: tuple[str, ...], *, optional: int = 0, more: tuple[str, ...] = ()
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row; the last `optional` ones, and those of `more` columns, may be empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            head = tuple(next(reader, ()))
            if head not in {columns, columns + more}:
                raise OrderError(f"the columns have to be {', '.join(columns)}", file=path.name, line=1)
            for cells in reader:
                needed = cells[: len(columns) - optional]
                if len(cells) != len(head) or not all(needed):
                    raise OrderError(f"the row needs {', '.join(columns)}", file=path.name, line=reader.line_num)
                yield reader.line_num, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise OrderError(f"the file is no CSV in UTF-8: {error}", file=path.name) from None
