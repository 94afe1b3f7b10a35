"""Numbers that must occur once in an order, found among millions of them in little memory.

Only digests are kept. Two numbers out of a million have the same digest of eight bytes by chance once in thirty
million orders.
"""

from __future__ import annotations

from collections.abc import Iterator

from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import UNIQUE
from kaguan.personalization.order.reading import Holder, Task
from kaguan.personalization.order.temporary import digester, temporary_database

_SIZE = 8
_DIGESTS = tuple(f"digest{place}" for place in range(len(UNIQUE)))
_SCHEMA = f"""
CREATE TABLE holder (line INTEGER PRIMARY KEY, row INTEGER, task TEXT, {" INTEGER, ".join(_DIGESTS)} INTEGER);
CREATE TABLE task (line INTEGER PRIMARY KEY, row INTEGER, task TEXT, digest INTEGER);
CREATE TABLE repeated (digest INTEGER PRIMARY KEY, line INTEGER);
"""
_AT_ONCE = 1000


class Repeats:
    """The numbers of an order as they come by. A later one is told where its number was first."""

    def __init__(self) -> None:
        self._digest = digester(_SIZE)
        self._database = temporary_database(self, _SCHEMA)
        self._holders: list[tuple[object, ...]] = []
        self._tasks: list[tuple[object, ...]] = []

    def add(self, holder: Holder) -> None:
        """The holder's numbers are remembered."""
        columns = holder.columns
        digests = [self._number(columns.get(column, "")) for column in UNIQUE]
        self._holders.append((holder.line, holder.row, holder.task_id, *digests))
        if len(self._holders) == _AT_ONCE:
            self._store()

    def add_task(self, task: Task) -> None:
        """The task's number is remembered."""
        self._tasks.append((task.line, 0, task.task_id, self._number(task.task_id)))
        if len(self._tasks) == _AT_ONCE:
            self._store()

    def of_tasks(self) -> Iterator[Fault]:
        """One fault for each task whose number an earlier one has."""
        for _, task, line, *_ in self._found("task", "digest"):
            yield Fault(0, "task_id", "another task of the order has the same number", task, line)

    def of_holders(self) -> Iterator[Fault]:
        """One fault for each number that a row has after another row had it."""
        for column, digest in zip(UNIQUE, _DIGESTS, strict=True):
            for row, task, line, first_row, first_line in self._found("holder", digest):
                yield Fault(row, column, f"is also in row {first_row} (line {first_line})", task, line)

    def _number(self, text: str) -> int | None:
        return int.from_bytes(self._digest(text.encode()), "big", signed=True) if text else None

    def _store(self) -> None:
        marks = ", ".join("?" * len(UNIQUE))
        query = f"INSERT INTO holder VALUES (?, ?, ?, {marks})"  # noqa: S608 - our own names
        self._database.executemany(query, self._holders)
        self._database.executemany("INSERT INTO task VALUES (?, ?, ?, ?)", self._tasks)
        self._holders.clear()
        self._tasks.clear()

    def _found(self, table: str, digest: str) -> Iterator[tuple[int, str, int, int, int]]:
        """Row, task and line of each that repeats, and row and line of the first that had its number."""
        self._store()
        self._database.execute("DELETE FROM repeated")
        self._database.execute(
            f"INSERT INTO repeated SELECT {digest}, min(line) FROM {table} WHERE {digest} IS NOT NULL"  # noqa: S608
            f" GROUP BY {digest} HAVING count(*) > 1"
        )
        # The rows are gone through in their sequence, and each is looked up among the few that repeat.
        return self._database.execute(
            f"SELECT later.row, later.task, later.line, first.row, first.line FROM {table} AS later"  # noqa: S608
            f" CROSS JOIN repeated ON repeated.digest = later.{digest} AND repeated.line < later.line"
            f" CROSS JOIN {table} AS first ON first.line = repeated.line ORDER BY later.line"
        )
