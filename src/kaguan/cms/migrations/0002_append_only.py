"""Rows that prove something can be added and read, and nothing else, whichever program asks the database."""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.utils import NotSupportedError

APPEND_ONLY = (
    "cms_cardevent",
    "cms_transfer",
    "cms_entry",
    "cms_contribution",
    "cms_receipt",
    "cms_auditentry",
)


def _guard_sqlite(table: str, verb: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def add_guards(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave every append-only table guarded; refuse a database for which no guard is written."""
    if schema_editor.connection.vendor != "sqlite":
        raise NotSupportedError(f"no append-only guard is written for {schema_editor.connection.vendor} yet")
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            schema_editor.execute(_guard_sqlite(table, verb))


def drop_guards(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave the tables without guards."""
    for table in APPEND_ONLY:
        for verb in ("update", "delete"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")


class Migration(migrations.Migration):
    dependencies = [("cms", "0001_initial")]
    operations = [migrations.RunPython(add_guards, drop_guards)]
