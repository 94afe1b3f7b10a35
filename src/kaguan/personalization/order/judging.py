"""Judge rows by the thousand, here or in other processes: what goes there and comes back is values.

A row takes its photo along as it is packed in the zip; whoever judges it needs no file. Rows whose process dies are
judged again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import NamedTuple

from kaguan.apdu.errors import LinkError
from kaguan.personalization.order.directory import ZipDamaged
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import HolderRules, judge
from kaguan.personalization.order.packed import Packed
from kaguan.personalization.order.photo_rules import photo_reason
from kaguan.personalization.order.reading import Holder

MOST_ROWS = 256
MOST_PHOTO_BYTES = 4 << 20
MOST_DEATHS = 3
CHUNKS_A_WORKER = 3
"""So many chunks are with each worker at a time, or wait for it; memory has room for no more."""


class RowsLost(LinkError):
    """Whatever judged these rows died of it, again and again; the order is not judged."""


class Row(NamedTuple):
    """A holder with the photo, or with the reason why there is none."""

    holder: Holder
    photo: Packed | str


class Judged(NamedTuple):
    """What came of a chunk: how many rows it had, and their faults."""

    rows: int
    faults: list[Fault]


def judge_rows(rows: list[Row], rules: HolderRules) -> Judged:
    """All that is wrong with these rows, each seen by itself."""
    faults: list[Fault] = []
    good: dict[str, str] = {}
    for holder, photo in rows:
        faults += judge(holder, rules, good)
        if reason := photo if isinstance(photo, str) else _photo_reason(photo, rules):
            faults.append(Fault(holder.row, "photo", reason, holder.task_id, holder.line))
    return Judged(len(rows), faults)


def _photo_reason(photo: Packed, rules: HolderRules) -> str | None:
    try:
        raw = photo.unpacked()
    except ZipDamaged:
        return "is damaged in the zip"
    return photo_reason(raw, rules.photo_pixels)


class _Out(NamedTuple):
    """A chunk under way."""

    rows: list[Row]
    judged: Future[Judged]


class Judging:
    """Rows on their way through the rules. Chunks come back in the sequence in which they went out."""

    def __init__(self, rules: HolderRules, executor: Executor | None) -> None:
        self._rules = rules
        self._executor = executor
        self._rows: list[Row] = []
        self._photo_bytes = 0
        self._under_way: deque[_Out] = deque()
        self._most_under_way = CHUNKS_A_WORKER * getattr(executor, "workers", os.cpu_count() or 1)

    def add(self, row: Row) -> Iterator[Judged]:
        """The row goes along; chunks that are done come out.

        Raises:
            RowsLost: one after another died at one chunk.
        """
        self._rows.append(row)
        if isinstance(row.photo, Packed):
            self._photo_bytes += len(row.photo.raw)
        if len(self._rows) == MOST_ROWS or self._photo_bytes >= MOST_PHOTO_BYTES:
            yield from self._send(self._most_under_way)

    def rest(self) -> Iterator[Judged]:
        """All chunks come out that are still under way. Raises as `add`."""
        yield from self._send(0)

    def cancel(self) -> None:
        """No chunk starts that has not started yet."""
        for out in self._under_way:
            out.judged.cancel()

    def _send(self, most_under_way: int) -> Iterator[Judged]:
        rows, self._rows, self._photo_bytes = self._rows, [], 0
        if self._executor is None:
            yield judge_rows(rows, self._rules)
            return
        if rows:
            self._under_way.append(_Out(rows, self._executor.submit(judge_rows, rows, self._rules)))
        while len(self._under_way) > most_under_way:
            yield self._result(self._executor, self._under_way[0])
            self._under_way.popleft()

    def _result(self, executor: Executor, out: _Out) -> Judged:
        judged = out.judged
        for death in range(1, MOST_DEATHS + 1):
            try:
                return judged.result()
            except (LinkError, BrokenExecutor) as error:
                first, last = out.rows[0].holder.line, out.rows[-1].holder.line
                if death == MOST_DEATHS or isinstance(error, BrokenExecutor):
                    raise RowsLost(
                        f"workers died at lines {first} to {last} of the task list: {error}; "
                        "mend what killed them (memory, most often), then run the same command again"
                    ) from None
                judged = executor.submit(judge_rows, out.rows, self._rules)
        raise AssertionError
