"""The judgement on an order: all that is wrong with it, in one go.

Memory for a million rows: about 50 MB for finding repeated numbers (eight bytes of digest a number, compared when
all are read), the zip's directory, and the faults themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from kaguan.personalization.order.archive import DAMAGED, OrderArchive, printable
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import UNIQUE, HolderRules, judge
from kaguan.personalization.order.photo_rules import photo_reason
from kaguan.personalization.order.reading import Holder, OrderFile, Task

MOST_FAULTS = 10_000
"""An order with more is beyond mending row by row; the judgement ends there, and the order is not to be made."""


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The judgement. `good` rows have no fault of their own; an order with a file fault is not to be made at all."""

    good: int
    file_faults: tuple[Fault, ...]
    row_faults: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The file's faults, then the rows' faults by line."""
        return self.file_faults + self.row_faults

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.file_faults and not self.row_faults

    def as_json(self) -> dict[str, object]:
        """The report for a program: `good`, and `faults` with row, column, reason, task and line each."""
        return {"good": self.good, "faults": [fault._asdict() for fault in self.faults]}


def check_order(path: Path, rules: HolderRules) -> OrderReport:
    """Everything that is wrong with the order, file and rows alike.

    Raises:
        OSError: the file cannot be opened.
    """
    with OrderFile(path, columns=rules.columns) as order:
        return _Check(order, rules).run()


class _Check:
    def __init__(self, order: OrderFile, rules: HolderRules) -> None:
        self._order = order
        self._rules = rules
        self._faults_of_form: list[Fault] = []
        self._faults_of_judged: list[Fault] = []
        self._room = MOST_FAULTS
        self._judged = 0
        self._first_task: Task | None = None
        self._task_ids: set[str] = set()
        self._repeats = _Repeats()
        self._photos_left = set(order.archive.photo_names)

    def run(self) -> OrderReport:
        for column in self._rules.unknown_columns():
            reason = f"column {column} names a field that the card does not have"
            self._keep(self._faults_of_form, [Fault(0, "header", reason)])
        for entry in self._order.entries():
            if isinstance(entry, Fault):
                self._keep(self._faults_of_form, [entry])
            elif isinstance(entry, Task):
                self._keep(self._faults_of_form, self._task_faults(entry))
            else:
                self._judged += 1
                self._keep(self._faults_of_judged, judge(entry, self._rules))
                self._keep(self._faults_of_judged, self._photo_faults(entry))
                self._repeats.add(entry)
            if not self._room:
                reason = f"{MOST_FAULTS} faults up to here: the rest of the order was not judged"
                self._faults_of_form.append(Fault(0, "order", reason))
                return self._report()
        self._keep(self._faults_of_judged, self._repeats.faults())
        if self._judged:
            self._keep(self._faults_of_form, self._stray_photos())
        return self._report()

    def _keep(self, kept: list[Fault], faults: Iterable[Fault]) -> None:
        """The faults are kept, as many as there is room for."""
        new = list(islice(faults, self._room))
        kept.extend(new)
        self._room -= len(new)

    def _stray_photos(self) -> Iterator[Fault]:
        for certificate in sorted(self._photos_left):
            photo = printable(f"{certificate}.jpg")
            yield Fault(0, "photo", f"{photo} belongs to no holder of the order")

    def _report(self) -> OrderReport:
        bad_lines = {fault.line for fault in self._faults_of_judged}
        file_faults = [fault for fault in self._faults_of_form if not fault.row]
        row_faults = [*self._faults_of_judged, *(fault for fault in self._faults_of_form if fault.row)]
        row_faults.sort(key=lambda fault: fault.line)
        return OrderReport(self._judged - len(bad_lines), tuple(file_faults), tuple(row_faults))

    def _task_faults(self, task: Task) -> Iterator[Fault]:
        def fault(column: str, reason: str) -> Fault:
            return Fault(0, column, reason, task.task_id, task.line)

        if not task.task_id:
            yield fault("task_id", "the task has no number")
        elif task.task_id in self._task_ids:
            yield fault("task_id", "another task of the order has the same number")
        self._task_ids.add(task.task_id)
        name, first = self._order.name, self._first_task or task
        self._first_task = first
        if name and task.bank_id != name.bank:
            yield fault("bank_id", "the bank differs from the one in the task list's file name")
        if task.columns["card_type"] != first.columns["card_type"]:
            yield fault("card_type", "the card type differs from the first task's: an order is for one card type")

    def _photo_faults(self, holder: Holder) -> Iterator[Fault]:
        self._photos_left.discard(holder.id_no)
        if reason := self._photo_reason(self._order.archive, holder.id_no):
            yield Fault(holder.row, "photo", reason, holder.task_id, holder.line)

    def _photo_reason(self, archive: OrderArchive, certificate: str) -> str | None:
        try:
            raw = archive.photo(certificate)
        except KeyError:
            return "is missing"
        except DAMAGED:
            return "is damaged in the zip"
        return photo_reason(raw, self._rules.photo_pixels)


class _Repeats:
    """Numbers that must occur once in an order. A later row is told which row had its number first."""

    def __init__(self) -> None:
        self._digests = {column: array("Q") for column in UNIQUE}
        self._lines = array("L")
        self._rows = array("L")
        self._tasks: list[str] = []

    def add(self, holder: Holder) -> None:
        """The holder's numbers are remembered."""
        for column, digests in self._digests.items():
            text = holder.columns.get(column, "")
            digest = blake2b(text.encode(), digest_size=8).digest() if text else bytes(8)
            digests.append(int.from_bytes(digest, "big"))
        self._lines.append(holder.line)
        self._rows.append(holder.row)
        self._tasks.append(holder.task_id)

    def faults(self) -> Iterator[Fault]:
        """One fault for each number that a row has after another row had it."""
        for column, digests in self._digests.items():
            sequence = sorted(range(len(digests)), key=digests.__getitem__)  # stable: the first row comes first
            first = -1
            for index in sequence:
                if first < 0 or digests[index] != digests[first]:
                    first = index
                elif digests[index]:
                    reason = f"is also in row {self._rows[first]} (line {self._lines[first]})"
                    yield Fault(self._rows[index], column, reason, self._tasks[index], self._lines[index])
