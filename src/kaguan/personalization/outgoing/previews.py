"""What the cards of a job will show on their faces, from its sealed records, before or after they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from kaguan.apdu.codecs import real_date
from kaguan.apdu.errors import RuleBroken
from kaguan.durable import write_whole
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import State, card
from kaguan.personalization.order.reading import Holder, OrderName
from kaguan.personalization.outgoing.links import numbered
from kaguan.personalization.paper.cardface import (
    CARDS_A_SHEET,
    SHEETS_A_FILE,
    CardFace,
    FacePainter,
    face_sheets,
    face_texts,
)
from kaguan.personalization.paper.fonts import Lettering, check_glyphs, find_fonts
from kaguan.personalization.station.records import JobRecords

_OWNER_ONLY = 0o600
_AT_ONCE = 200  # rows with their photos
_ISSUED, _VALID = "ssseef0505", "ssseef0506"


class Design(NamedTuple):
    """What all faces of a job have in common; what is empty follows from the order's name."""

    issuer: str = ""
    bank: str = ""


class Chosen(NamedTuple):
    """Which rows: this one if not 0, else the first so many, or all when that is None."""

    row: int = 0
    first: int | None = None


def faces(job: Job, records: JobRecords, chosen: Chosen, design: Design) -> Iterator[CardFace]:
    """The faces of the chosen rows in the order's sequence, read as they are asked for; refused rows have none.

    Raises:
        RuleBroken: the row that was asked for has none.
    """
    name = OrderName.parse(job.terms.order_name)
    issuer = design.issuer or f"发卡地区 {job.terms.region}"
    bank = design.bank or (f"银行 {name.bank}" if name else "")
    none = True
    for number, sealed in islice(_sealed(job, chosen.row), chosen.first):
        holder, record = records.open_any(number, sealed)
        if record is not None:
            none = False
            yield _face(holder, record.photo, issuer, bank)
    if none and chosen.row:
        raise RuleBroken(f"row {chosen.row} of job {job.terms.name} gets no card, or there is none")


def write_previews(
    job: Job, records: JobRecords, path: Path, chosen: Chosen, design: Design, *, written_at: datetime
) -> Iterator[Path]:
    """Sheets of ten faces as PDF, 50 sheets a file, each file whole before it comes out.

    Raises:
        GlyphsMissing: with every character that no font has, and its row; nothing was written.
        FontsMissing: there is no font.
    """
    lettering = _lettering(lambda: faces(job, records, chosen, design))
    rows, number = faces(job, records, chosen, design), 0
    while batch := list(islice(rows, CARDS_A_SHEET * SHEETS_A_FILE)):
        number += 1
        part = numbered(path, number)
        sheets = face_sheets(batch, lettering, job=job.terms.name, written_at=written_at)
        write_whole(part, sheets, mode=_OWNER_ONLY)
        yield part
    if not number:
        raise RuleBroken(f"no row of job {job.terms.name} gets a card: there is nothing to show")


def write_picture(job: Job, records: JobRecords, path: Path, chosen: Chosen, design: Design) -> None:
    """The face of the first chosen row as a PNG.

    Raises:
        GlyphsMissing, FontsMissing: as `write_previews`.
    """
    one = chosen._replace(first=1)
    lettering = _lettering(lambda: faces(job, records, one, design))
    for face in faces(job, records, one, design):
        write_whole(path, FacePainter(lettering).png(face), mode=_OWNER_ONLY)


def _lettering(those: Callable[[], Iterator[CardFace]]) -> Lettering:
    return check_glyphs(find_fonts(), face_texts(those()))


def _sealed(job: Job, row: int) -> Iterator[tuple[int, bytes]]:
    """Number and record of the rows that get a card."""
    own = [card.c.job == job.key, card.c.state != State.REFUSED, card.c.sealed.is_not(None)]
    if row:
        own.append(card.c.number == row)
    last = 0
    while True:
        query = select(card.c.number, card.c.sealed).where(*own, card.c.number > last)
        with job.bureau.transaction() as connection:
            rows = connection.execute(query.order_by(card.c.number).limit(_AT_ONCE)).all()
        yield from ((number, bytes(sealed)) for number, sealed in rows)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].number


def _face(holder: Holder, photo: bytes, issuer: str, bank: str) -> CardFace:
    return CardFace(
        row=holder.row,
        name=holder.name,
        id_no=holder.id_no,
        card_no=holder.card_no,
        issuer=issuer,
        bank=bank,
        issued=_day(holder, _ISSUED),
        valid_until=_day(holder, _VALID),
        photo=photo or None,
    )


def _day(holder: Holder, column: str) -> date:
    day = real_date(holder.columns.get(column, ""))
    if day is None:
        raise RuleBroken(f"row {holder.row}: {column} is no day, so its face cannot be shown")
    return day
