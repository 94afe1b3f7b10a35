"""Many rows at once, by the shortest way that the database has: COPY on a server, long statements in a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.core.management.color import no_style
from django.db import connection
from django.db.models import AutoField, JSONField, Model

ROWS_A_STATEMENT: Final = 500
"""SQLite takes 32,766 values a statement."""


def copy_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Leave the rows in the model's table, values in the order of the columns; call it inside a transaction.

    Numbers that the database gives out go on after the greatest that was copied.
    """
    if connection.vendor != "postgresql":
        manager: Any = model._default_manager
        manager.bulk_create(
            (model(**dict(zip(columns, row, strict=True))) for row in rows), batch_size=ROWS_A_STATEMENT
        )
        return
    from psycopg.types.json import Jsonb  # noqa: PLC0415 (an extra, there when a server is)

    fields = {field.attname: field for field in model._meta.concrete_fields}
    json = {place for place, name in enumerate(columns) if isinstance(fields[name], JSONField)}
    with connection.cursor() as cursor:
        statement = f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN"
        # the driver's own errors quote the row that does not fit
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([Jsonb(value) if place in json else value for place, value in enumerate(row)])
        if isinstance(model._meta.pk, AutoField) and model._meta.pk.attname in columns:
            for reset in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(reset)
