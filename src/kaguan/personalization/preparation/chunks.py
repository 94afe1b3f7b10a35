"""An order in chunks: cut from its lines, prepared one by one wherever there is a core, sealed before they leave it.

Law 1. A row that cannot be prepared is a reason in its place; it never costs its chunk.
Law 2. What comes back holds nothing of a person but sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError, OrderError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.order.pipetext import SEPARATOR, Line, encode_line
from kaguan.personalization.order.reading import DASHES, TASK_COLUMNS, Holder, OrderFile
from kaguan.personalization.preparation.packing import pack
from kaguan.personalization.preparation.plan import Plan, plan_of
from kaguan.personalization.preparation.record import too_large
from kaguan.personalization.preparation.sealing import RecordKey

MOST_ROWS = 1000
MOST_BYTES = 4 << 20
"""Bytes of lines and photos in a chunk: with photos it is these that end it."""

_CARD_NO, _CERT_NO = "ssseef0507", "cert_no"
_LINE_END = "\r\n"


class RawRow(NamedTuple):
    """A holder's line as it stands in the order, and his photo. With a `reason` it is refused already."""

    line: int
    row: int
    task_id: str
    raw: bytes
    photo: bytes = b""
    reason: str = ""

    def __repr__(self) -> str:
        return f"<RawRow {self.row}, line {self.line}>"


@dataclass(frozen=True, slots=True)
class Terms:
    """What all chunks of a job share: its identity, the profile's name, the order's columns, and the data key."""

    job: bytes
    profile: str
    columns: tuple[str, ...]
    key: RecordKey


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """Rows to be prepared, the first of which is the job's card of this number."""

    terms: Terms
    first_number: int
    rows: tuple[RawRow, ...]

    def __repr__(self) -> str:
        return f"<ChunkWork, cards {self.first_number} to {self.first_number + len(self.rows) - 1}>"


class PreparedRow(NamedTuple):
    """A card's record, sealed; with a `reason` it holds the holder alone, or nothing when his line was no text.

    `tag` finds the card by its number; it is empty when the order leaves the number to the bureau.
    """

    number: int
    line: int
    row: int
    task_id: str
    tag: bytes
    sealed: bytes
    reason: str = ""


class PreparedChunk(NamedTuple):
    """A chunk's rows in the order's sequence."""

    first_number: int
    rows: tuple[PreparedRow, ...]


def prepare_chunk(work: ChunkWork) -> PreparedChunk:
    """Every row of the chunk, prepared and sealed or with its reason. Nothing but the argument counts."""
    terms = work.terms
    plan = plan_of(load_profile(terms.profile), terms.columns)
    records = _records(plan, work.rows)
    numbers = range(work.first_number, work.first_number + len(records))
    sealed = terms.key.seal_all(numbers, terms.job, [record.packed for record in records])
    tags = [terms.key.tag(record.card_no) if record.card_no else b"" for record in records]
    return PreparedChunk(
        work.first_number,
        tuple(
            PreparedRow(number, row.line, row.row, row.task_id, tag, blob if record.packed else b"", record.reason)
            for number, row, record, tag, blob in zip(numbers, work.rows, records, tags, sealed, strict=True)
        ),
    )


class _Record(NamedTuple):
    packed: bytes
    card_no: str
    reason: str


def _records(plan: Plan, rows: Sequence[RawRow]) -> list[_Record]:
    texts = _texts(rows, len(plan.columns))
    encoded = iter(plan.encode_all([text for text in texts if not isinstance(text, CodecError)]))
    card_no_at = plan.columns.index(_CARD_NO) if _CARD_NO in plan.columns else None
    records = []
    for row, text in zip(rows, texts, strict=True):
        if isinstance(text, CodecError):
            records.append(_Record(b"", "", row.reason or str(text)))
            continue
        values = next(encoded)
        reason = row.reason or _reason(plan, values, row.photo)
        card_no = "" if card_no_at is None else text[card_no_at]
        kept, photo = (None, b"") if reason or isinstance(values, CodecError) else (values, row.photo)
        records.append(_Record(pack(plan, row.line, row.row, row.task_id, text, kept, photo), card_no, reason))
    return records


def _no_reason(_line: int) -> str:
    return ""


def raw_rows(lines: Iterable[Line], reason: Callable[[int], str] = _no_reason, *, file: str = "") -> Iterator[RawRow]:
    """The holder lines of a task list that was checked before; `reason` says why the row of a line is refused, or
    nothing.

    Raises:
        OrderError: there is no task where one must be; the list is not the one that was checked.
    """
    source = iter(lines)
    next(source, None), next(source, None)  # the two headers
    dashes = DASHES.encode()
    task_id: str | None = None
    holders = 0
    for number, raw in source:
        if raw.rstrip(b"\r\n") == dashes:
            task_id = None
        elif task_id is None:
            task_id = _task_id(Line(number, raw), file)
        else:
            holders += 1
            yield RawRow(number, _row(raw) or holders, task_id, raw, reason=reason(number))


def rows_of(holders: Iterable[Holder], reason: Callable[[int], str] = _no_reason) -> Iterator[RawRow]:
    """The rows of holders that were read from another format than the task list's; all have the same columns."""
    for holder in holders:
        raw, wrong = b"", reason(holder.line)
        try:
            raw = encode_line(holder.columns.values())
        except CodecError as error:
            wrong = wrong or str(error)
        yield RawRow(holder.line, holder.row, holder.task_id, raw, reason=wrong)


def with_photos(rows: Iterable[RawRow], order: OrderFile) -> Iterator[RawRow]:
    """The same rows with their photos; one whose photo is not there or damaged is refused with that reason."""
    place = order.columns.index(_CERT_NO)
    for row in rows:
        if row.reason:
            yield row
            continue
        try:
            columns = Line(row.line, row.raw).columns()
            holder = Holder(row.line, row.row, row.task_id, {_CERT_NO: columns[place]})
            yield row._replace(photo=order.photo(holder))
        except OrderError as error:
            yield row._replace(reason=error.message)
        except (CodecError, IndexError):
            yield row  # preparation says what is wrong with the line


def chunks(
    terms: Terms, rows: Iterable[RawRow], *, first_number: int = 1, most_rows: int = MOST_ROWS
) -> Iterator[ChunkWork]:
    """The rows in pieces of about a thousand, numbered through from the first."""
    first, held, size = first_number, list[RawRow](), 0
    for row in rows:
        held.append(row)
        size += len(row.raw) + len(row.photo)
        if len(held) >= most_rows or size >= MOST_BYTES:
            yield ChunkWork(terms, first, tuple(held))
            first, held, size = first + len(held), [], 0
    if held:
        yield ChunkWork(terms, first, tuple(held))


def _texts(rows: Sequence[RawRow], count: int) -> list[list[str] | CodecError]:
    """Each row's columns in normal form, or why there are none."""
    try:
        lines = textcodec.decode(b"".join([row.raw for row in rows])).split(_LINE_END)
    except CodecError:
        lines = []
    if len(lines) == len(rows) + 1 and not lines.pop():
        split = [line.split(SEPARATOR) for line in lines]
        if all(len(columns) == count for columns in split):
            return list(split)
    return [_text(row, count) for row in rows]  # one of them is out of form


def _text(row: RawRow, count: int) -> list[str] | CodecError:
    try:
        columns = Line(row.line, row.raw).columns()
    except CodecError as error:
        return error
    return columns if len(columns) == count else CodecError(f"{len(columns)} columns instead of {count}")


def _reason(plan: Plan, values: bytes | CodecError, photo: bytes) -> str:
    if isinstance(values, CodecError):
        return str(values)
    return too_large(photo, plan.photo_room) if len(photo) > plan.photo_room else ""


def _task_id(line: Line, file: str) -> str:
    try:
        columns = line.columns()
    except CodecError:
        columns = []
    if len(columns) != len(TASK_COLUMNS):
        raise OrderError(
            "no task line where one must be: the order was changed since its check", file=file, line=line.number
        )
    return columns[TASK_COLUMNS.index("task_id")]


def _row(raw: bytes) -> int:
    """The number that the line begins with, or 0."""
    text = raw[: raw.find(b"|")]
    return int(text) if text.isdigit() and len(text) < 10 else 0
