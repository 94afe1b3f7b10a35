"""A server's database with nothing left in it: to make and remove hundreds of them takes minutes."""

from __future__ import annotations


def emptied(address: str) -> str:
    """The address, whose tables have no rows any more; nobody is at work there."""
    import psycopg  # noqa: PLC0415 - an extra, there when a server is

    with psycopg.connect(address) as line:
        line.execute("SET session_replication_role = replica")  # neither guards nor foreign keys stand in the way
        for (table,) in line.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'cms!_%' ESCAPE '!'"):
            line.execute(f"DELETE FROM {table}")  # noqa: S608 - a table of ours
    return address
