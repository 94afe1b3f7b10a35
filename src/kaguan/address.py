"""Where a database is, as people write it: the URL of a server, or the path of an SQLite file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from kaguan.apdu.errors import RuleBroken


def database_url(address: str) -> URL:
    """The URL of this address: `postgresql://...`, `sqlite:///FILE`, or the path of an SQLite file.

    Raises:
        RuleBroken: no database of these kinds, or a password in it.
    """
    if "://" not in address:
        return URL.create("sqlite", database=str(Path(address).absolute()))
    try:
        url = make_url(address)
    except ArgumentError:
        raise RuleBroken("the database's address is no URL: postgresql://USER@HOST/NAME, or a file's path") from None
    if url.password is not None or "password" in url.query:
        raise RuleBroken(
            "a password does not belong in the database's address, where others see it: put it into ~/.pgpass or "
            "into a service file of PostgreSQL"
        )
    kind = url.get_backend_name()
    if kind not in ("postgresql", "sqlite"):
        raise RuleBroken(f"{kind} is no database that Kaguan knows: use postgresql://USER@HOST/NAME or a file")
    return url.set(drivername="postgresql+psycopg" if kind == "postgresql" else "sqlite")
