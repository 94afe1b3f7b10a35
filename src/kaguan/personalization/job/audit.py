"""What people and runs did to jobs: entries chained by digest, so that none can be changed or left out unnoticed.

Law. An entry's digest covers its own columns and the digest before; it is never updated and never deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from kaguan.apdu.errors import InputError
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import event, now_seconds

_CHAIN_LOCK = 0x4B48  # an advisory lock of PostgreSQL: one entry after another
_BEGINNING = bytes(32)
_AT_ONCE = 1_000
Detail = str | int | float | None


class Entry(NamedTuple):
    """One entry. `details` never hold a person's number, a PIN or a key."""

    id: int
    job: int | None
    at: float
    actor: str
    action: str
    details: Mapping[str, Detail]
    digest: bytes


class ChainBroken(InputError):
    """The audit trail was tampered with."""


def note(connection: Connection, job: int | None, actor: str, action: str, **details: Detail) -> None:
    """The trail has this entry, when the connection's transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_CHAIN_LOCK,))
    last = connection.execute(select(event.c.id, event.c.digest).order_by(event.c.id.desc()).limit(1)).first()
    key, before = (last[0] + 1, bytes(last[1])) if last else (1, _BEGINNING)
    at = round(float(connection.execute(select(now_seconds())).scalar_one()), 3)
    text = json.dumps(details, ensure_ascii=False, sort_keys=True)
    digest = _digest(before, key, job, at, actor, action, text)
    values = {"id": key, "job": job, "at": at, "actor": actor, "action": action, "details": text, "digest": digest}
    connection.execute(insert(event).values(**values))


def entries(bureau: Bureau, *, job: int | None = None) -> Iterator[Entry]:
    """The trail from its beginning, of one job or of all; read a thousand at a time.

    Raises:
        ChainBroken: an entry cannot be read.
    """
    return map(_entry, _rows(bureau, job))


def verified_entries(bureau: Bureau) -> Iterator[Entry]:
    """The whole trail from its beginning, each entry found to follow from the one before.

    Raises:
        ChainBroken: with the entry that does not.
    """
    before = _BEGINNING
    for number, row in enumerate(_rows(bureau, None), 1):
        if row.id != number:
            raise ChainBroken(f"audit entry {number} is missing: entry {row.id} stands in its place")
        entry = _entry(row)
        try:
            digest = _digest(before, row.id, row.job, row.at, row.actor, row.action, row.details)
        except (TypeError, ValueError):  # SQLite lets a column hold anything
            digest = b""
        if entry.digest != digest:
            raise ChainBroken(f"audit entry {entry.id} ({entry.actor}, {entry.action}) was changed after it was made")
        yield entry
        before = digest


def verify_trail(bureau: Bureau) -> tuple[int, bytes]:
    """How many entries there are, and the digest of the last, each of them found to follow from the one before.

    Raises:
        ChainBroken: with the entry that does not.
    """
    count, last = 0, _BEGINNING
    for entry in verified_entries(bureau):
        count, last = entry.id, entry.digest
    return count, last


def _rows(bureau: Bureau, job: int | None) -> Iterator[Row[Any]]:
    last = 0
    while True:
        query = select(event).where(event.c.id > last).order_by(event.c.id).limit(_AT_ONCE)
        if job is not None:
            query = query.where(event.c.job == job)
        with bureau.transaction() as connection:
            rows = connection.execute(query).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].id


def _entry(row: Row[Any]) -> Entry:
    try:
        details = json.loads(row.details)
        if not isinstance(details, dict):
            raise ValueError
        return Entry(row.id, row.job, row.at, row.actor, row.action, details, bytes(row.digest))
    except (TypeError, ValueError):
        raise ChainBroken(f"audit entry {row.id} was changed after it was made: it cannot be read") from None


def _digest(before: bytes, key: int, job: int | None, at: float, actor: str, action: str, details: str) -> bytes:
    row = json.dumps([key, job, f"{at:.3f}", actor, action, details], ensure_ascii=False)
    return hashlib.sha256(before + row.encode()).digest()
