"""Tables that can be added to and read, and nothing else, whichever program asks the database.

Law. The guard is the database's own: a trigger for each verb that would change or remove a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import StateApps
from django.db.utils import NotSupportedError

_Step = Callable[[StateApps, BaseDatabaseSchemaEditor], None]
_VERBS: Final = {"sqlite": ("UPDATE", "DELETE"), "postgresql": ("UPDATE", "DELETE", "TRUNCATE")}
_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION kaguan_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""


def guarded(*tables: str) -> Operation:
    """Return the step of a migration that leaves the tables append-only; they exist by then."""

    return migrations.RunPython(_adding(tables), _dropping(tables))


def unguarded(*tables: str) -> Operation:
    """Return the step of a migration that leaves the tables open to change, until a later one guards them again."""
    return migrations.RunPython(_dropping(tables), _adding(tables))


def _adding(tables: Sequence[str]) -> _Step:
    return lambda _apps, schema_editor: add_guards(schema_editor.connection, tables)


def _dropping(tables: Sequence[str]) -> _Step:
    return lambda _apps, schema_editor: drop_guards(schema_editor.connection, tables)


def add_guards(connection: BaseDatabaseWrapper, tables: Sequence[str]) -> None:
    """Leave every table guarded; refuse a kind of database for which no guard is written (NotSupportedError)."""
    if connection.vendor not in _VERBS:
        raise NotSupportedError(f"no append-only guard is written for {connection.vendor}")
    on_server = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_server:
            cursor.execute(_FUNCTION)
        for table, verb in product(tables, _VERBS[connection.vendor]):
            does = (
                "FOR EACH STATEMENT EXECUTE FUNCTION kaguan_append_only()"
                if on_server
                else f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
            cursor.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {does}")


def drop_guards(connection: BaseDatabaseWrapper, tables: Sequence[str]) -> None:
    """Leave the tables without guards."""
    with connection.cursor() as cursor:
        for table, verb in product(tables, _VERBS[connection.vendor]):
            place = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb.lower()}{place}")
