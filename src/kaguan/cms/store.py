"""Open the database of card management inside any program, without a server."""

from __future__ import annotations

import os
from typing import Final

from kaguan.cms.settings import DATABASE_VARIABLE, database_settings
from kaguan.database import told_plainly

SETTINGS_MODULE: Final = "kaguan.cms.settings"


def open_store(database: str) -> None:
    """Leave Django ready over the SQLite file, which exists and has every migration.

    Call it before importing models, ledger or services. Called again, it moves to that file.

    Raises:
        InputError: the file is no such database.
        InUse: another process holds it.
    """
    os.environ[DATABASE_VARIABLE] = database
    _keep_private(database)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    import django  # noqa: PLC0415 (the settings have to be chosen before Django is loaded)

    django.setup()
    with told_plainly(database):
        _move_to(database)
        _migrate()


def _keep_private(database: str) -> None:
    """Leave a new file readable by its owner only; SQLite gives its journals the same rights."""
    if database != ":memory:":
        os.close(os.open(database, os.O_CREAT | os.O_RDWR, 0o600))


def _move_to(database: str) -> None:
    from django.db import connection  # noqa: PLC0415

    if connection.settings_dict["NAME"] != database:
        connection.close()
        connection.settings_dict.update(database_settings(database))


def _migrate() -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
