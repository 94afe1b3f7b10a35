"""What was deleted is not in the database's files either, as far as the database can see to that."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlalchemy import Connection

from kaguan.database import told_plainly
from kaguan.durable import InUse
from kaguan.personalization.job.database import Bureau

_PATIENCE_SECONDS = 60.0


def secure_delete(connection: Connection) -> None:
    """What this connection deletes is overwritten with zeros, where the database can do that."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def wipe(bureau: Bureau) -> None:
    """What rows held before they were changed is in none of the database's files.

    SQLite writes itself anew and empties its log. PostgreSQL writes the small tables anew that held keys and PINs,
    and cleans the large one up: what it left of that are cryptograms whose key is gone. Its log and its backups are
    older copies, and not reached from here.

    Raises:
        InUse: another process reads the file.
    """
    if not bureau.embedded:
        with bureau.statement() as connection:
            connection.exec_driver_sql("VACUUM (FULL) job")
            connection.exec_driver_sql("VACUUM (FULL) pin")
            connection.exec_driver_sql("VACUUM card")
        return
    path = str(bureau.url.database)
    with told_plainly(path), closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise InUse(f"{path} is in use by another process: let it finish, or stop it, and try again")
