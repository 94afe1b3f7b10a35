"""The judgement on an order: all that is wrong with it, in one go.

Memory does not grow with the order: what must be remembered of its rows is in temporary databases (`temporary`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

from kaguan.apdu.errors import OrderError
from kaguan.database import told_plainly
from kaguan.personalization.order.directory import ZipDamaged
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import HolderRules
from kaguan.personalization.order.judging import Judged, Judging, Row
from kaguan.personalization.order.packed import Packed
from kaguan.personalization.order.reading import Holder, OrderFile, Task
from kaguan.personalization.order.repeats import Repeats
from kaguan.personalization.order.report import FaultSpool, OrderReport
from kaguan.personalization.order.totals import Tally, totals_beside

MOST_FAULTS = 1_000_000
"""An order with more is beyond mending row by row; the judgement ends there, and the order is not to be made."""


def check_order(
    path: Path, rules: HolderRules, executor: Executor | None = None, *, most_faults: int = MOST_FAULTS
) -> OrderReport:
    """Everything that is wrong with the order, file and rows alike.

    With an executor rows are judged there, a chunk at a time; the report is the same. The sender's totals are compared
    when they are beside the order.

    Raises:
        OrderChanged: somebody wrote to the file meanwhile.
        OSError: the file cannot be opened.
        DiskFailed: there is no room for the temporary databases.
    """
    with told_plainly("the temporary files of an order's check"), OrderFile(path, columns=rules.columns) as order:
        report = _Check(order, rules, executor, most_faults).run()
        order.archive.require_unchanged()
        return report


class _Check:
    def __init__(self, order: OrderFile, rules: HolderRules, executor: Executor | None, most_faults: int) -> None:
        self._order = order
        self._archive = order.archive
        self._rules = rules
        self._spool = FaultSpool(most_faults)
        self._most_faults = most_faults
        self._judging = Judging(rules, executor)
        self._judged = 0
        self._first_task: Task | None = None
        self._repeats = Repeats()
        self._tally = Tally()
        self._photos_used = bytearray(order.archive.member_count // 8 + 1)

    def run(self) -> OrderReport:
        for column in self._rules.unknown_columns():
            self._spool.add([Fault(0, "header", f"column {column} names a field that the card does not have")])
        try:
            self._judge_all()
        finally:
            self._judging.cancel()
        if not self._spool.room:
            self._spool.room = 1
            reason = f"{self._most_faults} faults up to here: the rest of the order was not judged"
            self._spool.add([Fault(0, "order", reason)])
        return OrderReport(self._judged, self._spool)

    def _judge_all(self) -> None:
        for entry in self._order.entries():
            if isinstance(entry, Fault):
                self._spool.add([entry])
            elif isinstance(entry, Task):
                self._spool.add(self._task_faults(entry))
                self._repeats.add_task(entry)
                self._tally.add_task(entry)
            else:
                self._repeats.add(entry)
                self._tally.add(entry)
                self._take(self._judging.add(Row(entry, self._photo(entry))))
            if not self._spool.room:
                return
        self._take(self._judging.rest())
        self._spool.add(self._repeats.of_tasks())
        self._spool.add(self._repeats.of_holders(), judged=True)
        if self._judged:
            self._spool.add(self._stray_photos())
        self._spool.add(self._wrong_totals())

    def _take(self, chunks: Iterator[Judged]) -> None:
        for chunk in chunks:
            self._judged += chunk.rows
            self._spool.add(chunk.faults, judged=True)

    def _stray_photos(self) -> Iterator[Fault]:
        for photo in self._archive.strays(self._photos_used):
            yield Fault(0, "photo", f"{photo} belongs to no holder of the order")

    def _wrong_totals(self) -> Iterator[Fault]:
        try:
            said = totals_beside(self._order.path)
        except OrderError as error:
            yield Fault(0, "totals", f"the sender's totals: {error}")
        else:
            if said:
                yield from said.differences(self._tally.totals(self._archive))

    def _task_faults(self, task: Task) -> Iterator[Fault]:
        def fault(column: str, reason: str) -> Fault:
            return Fault(0, column, reason, task.task_id, task.line)

        if not task.task_id:
            yield fault("task_id", "the task has no number")
        name, first = self._order.name, self._first_task or task
        self._first_task = first
        if name and task.bank_id != name.bank:
            yield fault("bank_id", "the bank differs from the one in the task list's file name")
        if task.columns["card_type"] != first.columns["card_type"]:
            yield fault("card_type", "the card type differs from the first task's: an order is for one card type")

    def _photo(self, holder: Holder) -> Packed | str:
        place = self._archive.photo_place(holder.id_no)
        if place is None:
            return "is missing"
        self._photos_used[place.number >> 3] |= 1 << (place.number & 7)
        try:
            return self._archive.photo_at(place)
        except ZipDamaged:
            return "is damaged in the zip"
