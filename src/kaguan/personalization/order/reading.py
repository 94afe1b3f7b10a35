"""An order as the bureau sends it, read as a stream: tasks, and the holders of each task.

The reader has one grammar and two manners. `entries` goes on after a fault and hands it out, for a check that
finds all of them; iterating the order stops at the first one with an `OrderError`. Memory does not grow with the
number of rows or photos.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.order.archive import OrderArchive, printable
from kaguan.personalization.order.directory import ZipDamaged
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.pipetext import LONGEST_LINE, SAMPLE_SIZE, SEPARATOR, Line, lines, wrong_code_page

_TASK_HEADER = (
    "task_id|card_type|bank_id|recordcount|taskaddr|serid|sername|companyid|company|region_name|street|community"
)
_HOLDER_HEADER = (
    "data_seq|customer_id|cert_type|cert_no|bank_card_no|ssseef0505|ssseef0506|ssseef0507|ssseef0608|ssseef0609|"
    "ssseef064e|ssseef060a|ssseef060b|ssseef060c|ssseef060d|df01ef0520|df01ef0521|df01ef050e|df01ef0623|"
    "df01ef0624|df01ef0628|df01ef0729|df01ef082b|df01ef092e|df01ef0930|df01ef0932|df01ef0a37|df04ef0580|df04ef0584"
)
TASK_COLUMNS = tuple(_TASK_HEADER.split(SEPARATOR))
HOLDER_COLUMNS = tuple(_HOLDER_HEADER.split(SEPARATOR))
"""The columns of the usual order; another bureau's may differ, and are then passed to `open_order`."""

DASHES = "-" * 10

_LIST_NAME = re.compile(
    r"(?P<kind>[A-Z][A-Z0-9]*)_(?P<batch>[0-9A-Za-z]+)_(?P<timestamp>\d{14})_(?P<vendor>[0-9A-Za-z]+)_S_"
    r"(?P<urgency>\d)_(?P<city>\d{6})_(?P<bank>[0-9A-Za-z]+)(?:_(?P<outlet>[0-9A-Za-z]+))?\.txt",
    re.ASCII,
)
_CARD_FIELD = re.compile(r"(ssse|df0[1-9])(ef[0-9a-f]{2})([0-9a-f]{2})")


class FieldKey(NamedTuple):
    """Where on the card a column goes: `FieldKey("SSSE", "EF06", 0x09)`."""

    dedicated: str
    file: str
    tag: int

    @property
    def column(self) -> str:
        """The column's name in an order."""
        return _column(self.dedicated, self.file, self.tag)


@cache
def _column(dedicated: str, file: str, tag: int) -> str:
    return f"{dedicated}{file}{tag:02x}".lower()


def card_field(column: str) -> FieldKey | None:
    """The card field that a column is named after, or None for one of the bureau's own columns."""
    match = _CARD_FIELD.fullmatch(column)
    return FieldKey(match[1].upper(), match[2].upper(), int(match[3], 16)) if match else None


class OrderName(NamedTuple):
    """What the task list's file name says; `outlet` may be empty."""

    kind: str
    batch: str
    timestamp: str
    vendor: str
    urgency: str
    city: str
    bank: str
    outlet: str

    @classmethod
    def parse(cls, name: str) -> OrderName | None:
        """The parts of a well-formed name, else None."""
        match = _LIST_NAME.fullmatch(name)
        if match is None:
            return None
        try:
            datetime.strptime(match["timestamp"], "%Y%m%d%H%M%S")  # noqa: DTZ007 - the bureau's local time
        except ValueError:
            return None
        return cls(**{part: text or "" for part, text in match.groupdict().items()})

    @property
    def file_name(self) -> str:
        """The name that says all this; `parse` is the way back."""
        parts = (self.kind, self.batch, self.timestamp, self.vendor, "S", self.urgency, self.city, self.bank)
        return "_".join((*parts, self.outlet) if self.outlet else parts) + ".txt"


@dataclass(frozen=True, slots=True)
class Task:
    """One task line."""

    line: int
    columns: Mapping[str, str]

    @property
    def task_id(self) -> str:
        """The task's number."""
        return self.columns["task_id"]

    @property
    def bank_id(self) -> str:
        """The bank whose account the cards carry."""
        return self.columns["bank_id"]

    @property
    def record_count(self) -> int | None:
        """How many holders the task line announces; None when it is no number."""
        return _count_in(self.columns["recordcount"])


@dataclass(frozen=True, slots=True)
class Holder:
    """One holder line. `row` is its data_seq, or its place among all holders when that is no number."""

    line: int
    row: int
    task_id: str
    columns: Mapping[str, str]

    @property
    def name(self) -> str:
        """The whole name: the name field and its extension."""
        return self.columns.get("ssseef0609", "") + self.columns.get("ssseef064e", "")

    @property
    def id_no(self) -> str:
        """The certificate number, which also names the photo."""
        return self.columns["cert_no"]

    @property
    def card_no(self) -> str:
        """The card number (卡号), empty when the order leaves it to the bureau."""
        return self.columns.get("ssseef0507", "")

    @property
    def bank_card_no(self) -> str:
        """The bank card number."""
        return self.columns.get("bank_card_no", "")

    def field(self, dedicated: str, file: str, tag: int) -> str | None:
        """The text for a card field; None when the order has no such column."""
        return self.columns.get(_column(dedicated, file, tag))

    def __repr__(self) -> str:
        """The place alone: the columns are personal."""
        return f"<Holder row {self.row} of task {self.task_id}, line {self.line}>"


Entry = Task | Holder | Fault


class OrderFile:
    """An opened order. Iterating gives `Task` and `Holder` in the file's sequence and raises `OrderError`."""

    def __init__(self, path: Path, *, columns: tuple[str, ...] = HOLDER_COLUMNS) -> None:
        self.path = path
        self.columns = columns
        self.archive = OrderArchive(path)
        self.name = OrderName.parse(self.archive.list_name)

    def close(self) -> None:
        """The file is closed. Closing twice is harmless."""
        self.archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Task | Holder]:
        for entry in self.entries():
            if isinstance(entry, Fault):
                raise self.refusal(entry)
            yield entry

    def holders(self) -> Iterator[Holder]:
        """The holders of all tasks.

        Raises:
            OrderError: on reaching something that is out of form.
        """
        return (entry for entry in self if isinstance(entry, Holder))

    def photo(self, holder: Holder) -> bytes:
        """The holder's photo.

        Raises:
            OrderError: there is none, or the zip is damaged there.
        """
        try:
            return self.archive.photo(holder.id_no)
        except KeyError:
            reason = "has no photo"
        except ZipDamaged:
            reason = "has a photo that is damaged in the zip"
        raise OrderError(f"row {holder.row} {reason}", file=self.path.name, line=holder.line)

    def entries(self) -> Iterator[Entry]:
        """Everything in the file, faults of form among it, in sequence; archive faults come first."""
        yield from self.archive.faults
        list_name = self.archive.list_name
        if not list_name:
            return
        if self.name is None:
            yield Fault(
                0,
                "name",
                f"task list {printable(list_name)} is not named "
                "<type>_<batch>_<timestamp>_<vendor>_S_<urgency>_<city>_<bank>[_<outlet>].txt",
            )
        try:
            with self.archive.open_list() as stream:
                code_page = wrong_code_page(stream.read(SAMPLE_SIZE))
            if code_page:
                yield Fault(0, "code_page", f"the task list is {code_page}, not GB18030")
                return
            with self.archive.open_list() as stream:
                yield from _Grammar(self.columns).read(lines(stream))
        except ZipDamaged:
            yield Fault(0, "zip", "the task list is damaged in the zip: its check sum or length is wrong")

    def refusal(self, fault: Fault) -> OrderError:
        """The fault as the error that ends a strict reading."""
        where = f"row {fault.row}, " if fault.row else ""
        return OrderError(f"{where}{fault.column}: {fault.reason}", file=self.path.name, line=fault.line)


def open_order(path: Path, *, columns: tuple[str, ...] = HOLDER_COLUMNS) -> OrderFile:
    """The order, with its zip and its file name in form; its rows are judged as they are read.

    Raises:
        OrderError: the first thing that is wrong with the zip. `check_order` lists them all.
        OSError: the file cannot be opened.
    """
    order = OrderFile(path, columns=columns)
    faults = list(order.archive.faults)
    if not faults and order.name is None:
        faults.append(Fault(0, "name", f"{printable(order.archive.list_name)} is no task list's name"))
    if faults:
        order.close()
        raise order.refusal(faults[0])
    return order


class _Grammar:
    """Two header lines, then for each task its line, its holders' lines and ten dashes."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._task: Task | None = None
        self._astray = False  # a missing or broken task line was told, and need not be told for each of its holders
        self._holders_of_task = 0
        self._holders = 0
        self._first_unended = 0
        self._last_line = 0

    def read(self, source: Iterator[Line]) -> Iterator[Entry]:
        source = self._watched(source)
        wrong_headers = [
            *self._header(next(source, Line(1, b"")), "task", TASK_COLUMNS),
            *self._header(next(source, Line(2, b"")), "holder", self._columns),
        ]
        if wrong_headers:
            # Under other names the columns mean something else: no row can be judged.
            yield from wrong_headers
            return
        for line in source:
            if line.overlong:
                yield Fault(0, "line", f"more than {LONGEST_LINE} bytes in a line", line=line.number)
                return
            yield from self._line(line)
        if self._first_unended:
            yield Fault(0, "line", "ends without CR LF; there may be more such lines", line=self._first_unended)
        if self._task is not None:
            yield Fault(0, "dashes", "the file ends without ten dashes after its last task", line=self._last_line)
            yield from self._finish_task()
        if not self._holders:
            yield Fault(0, "task", "the order holds no holder", line=self._last_line)

    def _watched(self, source: Iterator[Line]) -> Iterator[Line]:
        """The same lines; the first that CR LF does not end is remembered. The file's last line may lack it."""
        before: Line | None = None
        for line in source:
            if before is not None and not before.ended:
                self._first_unended = self._first_unended or before.number
            before = line
            self._last_line = line.number
            yield line

    def _header(self, line: Line, kind: str, expected: tuple[str, ...]) -> Iterator[Fault]:
        try:
            found = tuple(line.columns())
        except CodecError:
            found = ()
        if found != expected:
            reason = f"the names of the {kind} columns are not the expected ones{_difference(found, expected)}"
            yield Fault(0, "header", reason, line=line.number)

    def _line(self, line: Line) -> Iterator[Entry]:
        try:
            columns = line.columns()
        except CodecError as error:
            yield self._row_fault(line, line.raw.split(b"|")[0].decode("ascii", "replace"), "code_page", str(error))
            return
        if columns == [DASHES]:
            if self._task is None and not self._astray:
                yield Fault(0, "dashes", "ten dashes where no task is open", line=line.number)
            yield from self._finish_task()
        elif columns == [""]:
            yield Fault(0, "line", "an empty line", line=line.number)
        elif len(columns) == len(self._columns):
            yield from self._holder(line, columns)
        elif len(columns) == len(TASK_COLUMNS):
            if self._task is not None:
                yield Fault(0, "dashes", "a task begins before ten dashes end the one before", line=line.number)
                yield from self._finish_task()
            yield from self._begin_task(line, columns)
        elif self._task is None and not self._astray:
            self._astray = True
            reason = f"{len(columns)} columns where a task line with {len(TASK_COLUMNS)} should be"
            yield Fault(0, "task", reason, line=line.number)
        else:
            yield self._row_fault(line, columns[0], "line", f"{len(columns)} columns instead of {len(self._columns)}")

    def _begin_task(self, line: Line, columns: list[str]) -> Iterator[Entry]:
        self._task = task = Task(line.number, dict(zip(TASK_COLUMNS, columns, strict=True)))
        self._holders_of_task = 0
        if task.record_count is None:
            yield Fault(0, "recordcount", "recordcount is not a number", task.task_id, line.number)
        yield task

    def _finish_task(self) -> Iterator[Entry]:
        task, self._task, self._astray = self._task, None, False
        if task is None or task.record_count in (None, self._holders_of_task):
            return
        reason = f"recordcount says {task.record_count}, {self._holders_of_task} holder lines follow"
        yield Fault(0, "recordcount", reason, task.task_id, task.line)

    def _holder(self, line: Line, columns: list[str]) -> Iterator[Entry]:
        if self._task is None and not self._astray:
            self._astray = True
            yield Fault(0, "task", "a holder line where a task line should be", line=line.number)
        row, task_id = self._count(columns[0])
        yield Holder(line.number, row, task_id, dict(zip(self._columns, columns, strict=True)))

    def _row_fault(self, line: Line, data_seq: str, column: str, reason: str) -> Fault:
        row, task_id = self._count(data_seq)
        return Fault(row, column, reason, task_id, line.number)

    def _count(self, data_seq: str) -> tuple[int, str]:
        """One more holder line is counted; its row and its task's number come back."""
        self._holders += 1
        if self._task is not None:
            self._holders_of_task += 1
        return _count_in(data_seq) or self._holders, self._task.task_id if self._task else ""


def _count_in(text: str) -> int | None:
    """The count of at most nine digits that this is, else None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _difference(found: tuple[str, ...], expected: tuple[str, ...]) -> str:
    missing = [name for name in expected if name not in found]
    unknown = [ascii(name[:40]) for name in found if name not in expected]
    parts = [
        f"missing: {SEPARATOR.join(missing[:5])}" if missing else "",
        f"unknown: {SEPARATOR.join(unknown[:5])}" if unknown else "",
    ]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else " (their order differs)"
