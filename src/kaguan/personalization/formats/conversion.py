"""A sheet becomes an order: all of it is judged first, then it is written, in two passes and in bounded memory.

The first pass makes every row's columns, judges them as an order's check does, and keeps the faults; the second makes
them again and writes. A sheet that changes in between is refused.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kaguan.apdu.errors import OrderError
from kaguan.database import told_plainly
from kaguan.personalization.formats.csvfile import read_csv
from kaguan.personalization.formats.mapping import MappingError, OrderMapping
from kaguan.personalization.formats.neworder import NewCard, write_new_order
from kaguan.personalization.formats.photos import Photos
from kaguan.personalization.formats.rows import Converted, RowMaker, labels_of
from kaguan.personalization.formats.source import SourceForm, SourceRow
from kaguan.personalization.formats.xlsxfile import read_xlsx, sheet_names
from kaguan.personalization.order.check import MOST_FAULTS
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import HolderRules, judge
from kaguan.personalization.order.reading import OrderName, Task
from kaguan.personalization.order.repeats import Repeats
from kaguan.personalization.order.report import FaultSpool, OrderReport


class Conversion:
    """One sheet on its way to an order of that name."""

    def __init__(
        self,
        source: Path,
        mapping: OrderMapping,
        photos: Photos,
        name: OrderName,
        rules: HolderRules,
        *,
        most_faults: int = MOST_FAULTS,
    ) -> None:
        self.name = name
        self._source = source
        self._mapping = mapping
        self._photos = photos
        self._rules = rules
        self._most_faults = most_faults
        self._state = _state(source)

    def notes(self) -> Iterator[str]:
        """What the sheet's sender should hear of, though it is no fault.

        Raises:
            OrderError: the sheet cannot be read as one.
        """
        if _kind(self._source, self._mapping.source) == "xlsx":
            for hidden in sheet_names(self._source).hidden:
                yield f"the hidden sheet '{hidden}' was not read"

    def check(self) -> Judgement:
        """Everything that is wrong with the sheet's rows; a fault's line is the row of the sheet.

        Raises:
            OrderError: the sheet cannot be read as one.
            MappingError: it lacks a column that the mapping wants.
            DiskFailed: there is no room for the temporary databases.
        """
        with told_plainly("the temporary files of a conversion"):
            judging = _Judging(self._mapping, self._photos, self.name, self._rules, self._most_faults)
            return judging.run(self._converted())

    def write(self, stream: BinaryIO, judgement: Judgement) -> int:
        """The stream holds the order of all rows that nothing is said against; their number comes back.

        Raises:
            OrderError: the sheet or a photo was changed since the check.
        """
        report = judgement.report

        def cards() -> Iterator[NewCard]:
            for made in _without(self._converted(), report):
                yield NewCard(made.task, made.holder.columns, made.photo)

        counts = judgement.good_of_tasks()
        write_new_order(stream, self.name, cards, counts, self._photos.read)
        if _state(self._source) != self._state:
            raise OrderError("the sheet was changed while it was read: run the same again", file=self._source.name)
        return sum(counts)

    def _converted(self) -> Iterator[Converted | Fault]:
        """Every row, made into columns or with its faults; a row may give both."""
        rows = _rows(self._source, self._mapping.source)
        maker = RowMaker.of(self._mapping, self.name, rows, self._source.name)
        place = 0
        for row in rows:
            if row.number > self._mapping.source.header:
                place += 1
                yield from maker.make(row, place)


class Judgement(NamedTuple):
    """What is wrong with a sheet, and where its tasks begin: for each its first line and its rows, good and bad."""

    report: OrderReport
    first_lines: array[int]
    rows: array[int]

    def good_of_tasks(self) -> list[int]:
        """How many good rows each task has that has any."""
        good, before = list(self.rows), 0
        for fault in self.report.row_faults:
            if fault.line != before:
                good[bisect_right(self.first_lines, fault.line) - 1] -= 1
            before = fault.line
        return [count for count in good if count]


class _Judging:
    """The first pass. A row that could not be made whole is judged as far as it was made."""

    def __init__(
        self, mapping: OrderMapping, photos: Photos, name: OrderName, rules: HolderRules, most_faults: int
    ) -> None:
        self._photos = photos
        self._name = name
        self._rules = rules
        self._most_faults = most_faults
        self._spool = FaultSpool(most_faults)
        self._repeats = Repeats()
        self._labels = labels_of(mapping)
        self._judged = 0
        self._task: Mapping[str, str] = {}
        self._card_type: str | None = None
        self._first_lines = array("Q")
        self._rows = array("Q")

    def run(self, entries: Iterator[Converted | Fault]) -> Judgement:
        for entry in entries:
            if isinstance(entry, Fault):
                self._spool.add([entry], judged=True)
            else:
                self._judged += 1
                self._judge(entry)
            if not self._spool.room:
                self._spool.room = 1
                reason = f"{self._most_faults} faults up to here: the rest of the sheet was not judged"
                self._spool.add([Fault(0, "sheet", reason)])
                return self._judgement()
        for fault in self._repeats.of_tasks():
            reason = "the rows of this task do not stand together: sort the sheet by its task"
            self._spool.add([fault._replace(reason=reason)])
        self._spool.add(map(self._labelled, self._repeats.of_holders()), judged=True)
        if not self._judged:
            self._spool.add([Fault(0, "sheet", "holds no row of a person")])
        return self._judgement()

    def _judgement(self) -> Judgement:
        return Judgement(OrderReport(self._judged, self._spool), self._first_lines, self._rows)

    def _judge(self, made: Converted) -> None:
        holder = made.holder
        begins = "task_id" not in made.failed and made.task["task_id"] != self._task.get("task_id")
        if begins or not self._rows:
            self._first_lines.append(holder.line)
            self._rows.append(0)
        self._rows[-1] += 1
        self._repeats.add(holder)
        known = (fault for fault in judge(holder, self._rules) if fault.column not in made.failed)
        faults = [self._labelled(fault) for fault in known]
        if made.photo and (reason := self._photos.reason_against(made.photo)):
            faults.append(Fault(holder.row, "photo", reason, holder.task_id, holder.line))
        faults += self._first_of_task(made) if begins else self._later_of_task(made)
        self._spool.add(faults, judged=True)

    def _labelled(self, fault: Fault) -> Fault:
        return fault._replace(column=self._labels.get(fault.column, fault.column))

    def _first_of_task(self, made: Converted) -> Iterator[Fault]:
        task = self._task = made.task
        self._repeats.add_task(Task(made.holder.line, task))
        self._card_type = task["card_type"] if self._card_type is None else self._card_type
        if not task["task_id"]:
            yield self._task_fault(made, "task_id", "is empty")
        if task["bank_id"] != self._name.bank:
            yield self._task_fault(made, "bank_id", "differs from the bank in the order's name")
        if task["card_type"] != self._card_type:
            yield self._task_fault(made, "card_type", "differs from the first task's: an order is for one card type")

    def _later_of_task(self, made: Converted) -> Iterator[Fault]:
        for column, text in made.task.items():
            if column not in made.failed and text != self._task.get(column, text):
                yield self._task_fault(made, column, "differs from the first row of the same task")

    def _task_fault(self, made: Converted, column: str, reason: str) -> Fault:
        holder = made.holder
        return Fault(holder.row, self._labels.get(column, column), reason, holder.task_id, holder.line)


class _State(NamedTuple):
    device: int
    inode: int
    size: int
    modified_ns: int


def _state(path: Path) -> _State:
    found = os.stat(path)
    return _State(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def order_name(mapping: OrderMapping, *, batch: str, timestamp: str) -> OrderName:
    """The name of the order that the mapping describes.

    Raises:
        MappingError: a part is missing, or does not look as it must.
    """
    parts = {"kind": "P", "batch": batch, "urgency": "0", "outlet": "", **mapping.name_parts}
    if batch and parts["batch"] != batch:
        raise MappingError("[order] says another batch than was asked for", file=mapping.file)
    missing = [part for part in ("batch", "vendor", "city", "bank") if not parts.get(part)]
    if missing:
        raise MappingError(f"[order] needs {', '.join(missing)} for the order's name", file=mapping.file)
    name = OrderName(timestamp=timestamp, **parts)
    if OrderName.parse(name.file_name) != name:
        raise MappingError(
            f"the parts of [order] and the time make no order's name: {name.file_name}", file=mapping.file
        )
    return name


def _kind(source: Path, form: SourceForm) -> str:
    return form.kind or source.suffix.lower().removeprefix(".")


def _rows(source: Path, form: SourceForm) -> Iterator[SourceRow]:
    kind = _kind(source, form)
    if kind == "csv":
        return read_csv(source, form)
    if kind == "xlsx":
        return read_xlsx(source, form)
    raise OrderError('neither .csv nor .xlsx: let the mapping say [source] kind = "csv" or "xlsx"', file=source.name)


def _without(made: Iterator[Converted | Fault], report: OrderReport) -> Iterator[Converted]:
    """The rows that the report has nothing against; both come by line, so neither is kept."""
    bad_lines = iter(report.row_faults)
    bad = next(bad_lines, None)
    for entry in made:
        if isinstance(entry, Fault):
            continue
        while bad is not None and bad.line < entry.holder.line:
            bad = next(bad_lines, None)
        if bad is None or bad.line != entry.holder.line:
            yield entry
