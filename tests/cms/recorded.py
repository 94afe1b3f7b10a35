"""What a piece of work leaves in the database, recorded once and put back at a fraction of its cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, transaction


class TableRows(NamedTuple):
    """All rows of a table, as its driver gives and takes them."""

    table: str
    columns: list[str]
    rows: list[tuple[Any, ...]]


def record(work: Callable[[], object]) -> list[TableRows]:
    """Every row that the work left in the empty database, which is empty again.

    On a server the numbers that it gave out are not given out again, so what comes later has others than these.
    """
    outer = transaction.atomic()
    outer._from_testcase = True  # as TestCase has it: use cases refuse any other transaction around them
    with outer:
        work()
        recorded = [_rows_of(model._meta.db_table) for model in apps.get_app_config("cms").get_models()]
        transaction.set_rollback(True)
    return [rows for rows in recorded if rows.rows]


def put_back(recorded: list[TableRows]) -> None:
    """The rows stand in the database; foreign keys wait for the end of the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table, columns, rows in recorded:
            row = f"({', '.join(['%s'] * len(columns))})"
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))}"  # noqa: S608
            cursor.execute(statement, [value for values in rows for value in values])


def _rows_of(table: str) -> TableRows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - a model's table
        return TableRows(table, [column[0] for column in cursor.description], cursor.fetchall())
