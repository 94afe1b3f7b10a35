"""Open the database of card management inside any program, without a web server."""

from __future__ import annotations

import os
from typing import Final

from kaguan.cms.settings import DATABASE_VARIABLE, database_settings, is_server
from kaguan.database import told_plainly

SETTINGS_MODULE: Final = "kaguan.cms.settings"
SCHEMA_LOCK: Final = 0x4B434D53
"""An advisory lock of PostgreSQL: one process at a time migrates."""


def open_store(database: str) -> None:
    """Leave Django ready over the SQLite file, or the database on a server; it exists and has every migration.

    Call it before importing models, ledger or services. Called again, it moves to that database.

    Raises:
        RuleBroken: another kind of database, or a password in its address.
        InputError: the database is not Kaguan's.
        InUse: another process holds it.
        DatabaseGone: the server does not answer.
    """
    wanted = database_settings(database)
    os.environ[DATABASE_VARIABLE] = database
    if not is_server(database):
        _keep_private(wanted["NAME"])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    import django  # noqa: PLC0415 (the settings have to be chosen before Django is loaded)

    django.setup()
    with told_plainly(database):
        _move_to(wanted)
        _migrate()


def _keep_private(path: str) -> None:
    """Leave a new file readable by its owner only; SQLite gives its journals the same rights."""
    if path != ":memory:":
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _move_to(wanted: dict[str, object]) -> None:
    from django.db import DEFAULT_DB_ALIAS, connections  # noqa: PLC0415

    now = connections[DEFAULT_DB_ALIAS].settings_dict
    if all(now[name] == value for name, value in wanted.items()):
        return
    connections[DEFAULT_DB_ALIAS].close()
    # threads that begin later make their connections by the same settings
    connections.settings[DEFAULT_DB_ALIAS].update(wanted)
    del connections[DEFAULT_DB_ALIAS]


def _migrate() -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    if not _is_behind():
        return
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_lock(%s)", (SCHEMA_LOCK,))
        try:
            if _is_behind():
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_advisory_unlock(%s)", (SCHEMA_LOCK,))


def _is_behind() -> bool:
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
