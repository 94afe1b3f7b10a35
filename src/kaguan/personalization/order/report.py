"""The judgement on an order, however many faults it has: they wait on disk and are handed out one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.temporary import temporary_database

_SCHEMA = """
CREATE TABLE fault (
    number INTEGER PRIMARY KEY, row INTEGER, column TEXT, reason TEXT, task TEXT, line INTEGER, judged INTEGER
);
CREATE INDEX fault_of_file ON fault (number) WHERE row = 0;
CREATE INDEX fault_of_row ON fault (line, number) WHERE row <> 0;
"""
_FILE, _ROWS = "row = 0 ORDER BY number", "row <> 0 ORDER BY line, number"
_OF_LINE = "row <> 0 AND line = ? ORDER BY number"


class FaultSpool:
    """Where faults are kept while an order is judged, and afterwards."""

    def __init__(self, most: int) -> None:
        self.room = most
        """How many more are kept."""
        self._database = temporary_database(self, _SCHEMA)

    def add(self, faults: Iterable[Fault], *, judged: bool = False) -> None:
        """The faults are kept, as many as there is room for; `judged` ones are of rows that were whole lines."""
        query = "INSERT INTO fault (row, column, reason, task, line, judged) VALUES (?, ?, ?, ?, ?, ?)"
        rows = ((*fault, judged) for fault in islice(faults, self.room))
        self.room -= self._database.executemany(query, rows).rowcount

    def read(self, which: str, *values: object) -> Iterator[Fault]:
        """The faults that the clause asks for, a few of them in memory at a time."""
        query = f"SELECT row, column, reason, task, line FROM fault WHERE {which}"  # noqa: S608 - our own clauses
        yield from map(Fault._make, self._database.execute(query, values))

    def count(self, which: str) -> int:
        """How many faults the clause asks for."""
        return self._number(f"SELECT count(*) FROM fault WHERE {which}")  # noqa: S608 - our own clauses

    def judged_lines(self) -> int:
        """How many rows that were whole lines have a fault."""
        return self._number("SELECT count(DISTINCT line) FROM fault WHERE row <> 0 AND judged")

    def _number(self, query: str) -> int:
        return int(self._database.execute(query).fetchone()[0])


class Faults:
    """Faults to be counted, and to be gone through as often as one likes."""

    def __init__(self, spool: FaultSpool, which: str) -> None:
        self._spool = spool
        self._which = which
        self._count = spool.count(which)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Fault]:
        return self._spool.read(self._which)


class OrderReport:
    """The judgement. `good` rows have no fault of their own; an order with a file fault is not to be made at all."""

    def __init__(self, judged: int, spool: FaultSpool) -> None:
        self.good = judged - spool.judged_lines()
        self.file_faults = Faults(spool, _FILE)
        self.row_faults = Faults(spool, _ROWS)
        """By line."""
        self._spool = spool

    @property
    def count(self) -> int:
        """How many faults there are."""
        return len(self.file_faults) + len(self.row_faults)

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.count

    def faults(self) -> Iterator[Fault]:
        """The file's faults, then the rows' faults by line."""
        return chain(self.file_faults, self.row_faults)

    def reason(self, line: int) -> str:
        """All that is wrong with the row of this line, in one text; empty when nothing is."""
        if not self.row_faults:
            return ""
        return "; ".join(f"{fault.column}: {fault.reason}" for fault in self._spool.read(_OF_LINE, line))

    def as_json(self) -> Iterator[str]:
        """The report for a program, in pieces of one JSON text.

        It has `good`, and `faults` with row, column, reason, task and line each.
        """
        yield f'{{"good": {self.good}, "faults": ['
        for number, fault in enumerate(self.faults()):
            yield (", " if number else "") + json.dumps(fault._asdict(), ensure_ascii=False)
        yield "]}"

    def as_text(self) -> Iterator[str]:
        """The report for people: one line a fault, and one for the sum."""
        for fault in self.file_faults:
            place = f"line {fault.line}, " if fault.line else ""
            yield f"file: {place}{fault.column}: {fault.reason}"
        for fault in self.row_faults:
            yield f"row {fault.row} (line {fault.line}): {fault.column}: {fault.reason}"
        yield f"{self.good} good rows, {self.count} faults"
