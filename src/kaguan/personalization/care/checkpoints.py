"""Checkpoints: signatures in the audit trail over all that came before, and copies of them elsewhere.

Law 1. Whoever rewrites the trail without the key for audits leaves a checkpoint behind that does not fit.
Law 2. Whoever cuts its end off, checkpoints and all, is found by a checkpoint that is kept in another place.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, func, select

from kaguan.apdu.errors import InputError
from kaguan.durable import sync_folder
from kaguan.personalization.job.audit import ChainBroken, Entry, note, verified_entries
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import event, job, now_seconds
from kaguan.personalization.keystore import AUDIT
from kaguan.vault.vault import KeyVault

CHECKPOINT = "checkpoint"
ENTRIES_APART = 1000
"""So many entries later at the latest comes another checkpoint."""
_CLOSED, _PURGED = "job closed", "personal data purged"
_SIGNED_AT_ONCE = (_CLOSED, _PURGED)
_LATE_SECONDS = 1.0  # an entry's time is rounded


class Checkpoint(NamedTuple):
    """The digest of one entry, and so of all before it, signed. `key` is the check value of the key for audits."""

    entry: int
    digest: str
    at: float
    key: str
    mac: str

    @classmethod
    def signed(cls, entry: int, digest: str, at: float, vault: KeyVault) -> Self:
        """A checkpoint of this entry, signed by the vault."""
        unsigned = cls(entry, digest, at, str(vault.check_value(AUDIT)), "")
        return unsigned._replace(mac=vault.mac_long(AUDIT, unsigned._message()).hex())

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """The checkpoint in these fields.

        Raises:
            ValueError, TypeError: they are none.
        """
        found = cls(**{name: fields[name] for name in cls._fields})
        if type(found.entry) is not int or not isinstance(found.at, int | float):
            raise TypeError("no checkpoint")
        if not all(isinstance(text, str) for text in (found.digest, found.key, found.mac)):
            raise TypeError("no checkpoint")
        bytes.fromhex(found.digest + found.mac)
        return found

    def is_signed_by(self, vault: KeyVault) -> bool:
        """Whether the vault signed it."""
        return hmac.compare_digest(vault.mac_long(AUDIT, self._message()), bytes.fromhex(self.mac))

    def _message(self) -> bytes:
        return f"kaguan audit checkpoint 1\n{self.entry} {self.digest} {self.at:.3f} {self.key}".encode()


class Verdict(NamedTuple):
    """A trail that holds. `signed` is the last entry under a checkpoint of the key; `foreign` counts checkpoints of
    other keys, which were not looked at."""

    entries: int
    digest: str
    signed: int
    checkpoints: int
    foreign: int


def is_due(bureau: Bureau) -> bool:
    """Whether the trail should get a checkpoint: a job was closed or purged, or many entries came since the last."""
    with bureau.transaction() as connection:
        last = select(func.coalesce(func.max(event.c.id), 0)).where(event.c.action == CHECKPOINT)
        since = event.c.id > connection.execute(last).scalar_one()
        count = connection.execute(select(func.count()).where(since)).scalar_one()
        at_once = select(event.c.id).where(since, event.c.action.in_(_SIGNED_AT_ONCE)).limit(1)
        return count >= ENTRIES_APART or connection.execute(at_once).first() is not None


def make_checkpoint(bureau: Bureau, vault: KeyVault, actor: str, file: Path | None = None) -> Checkpoint | None:
    """The trail's last entry is signed, in the trail and in the file, which gets a line more; None when there is none.

    Raises:
        KeyAbsent: the vault has no key for audits.
        OSError: the file cannot be written; the trail has the checkpoint.
    """
    with bureau.transaction() as connection:
        made = _store(connection, vault, actor)
    if made is not None and file is not None:
        _append(file, json.dumps(made._asdict()))
    return made


def read_checkpoints(file: Path) -> list[Checkpoint]:
    """The checkpoints that are kept in the file.

    Raises:
        InputError: a line is none.
    """
    found = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        try:
            found.append(Checkpoint.parse(json.loads(line)))
        except (TypeError, ValueError, KeyError):
            raise InputError(f"{file}, line {number}: this is no checkpoint") from None
    return found


def verify_checkpoints(bureau: Bureau, vault: KeyVault | None, kept: Iterable[Checkpoint] = ()) -> Verdict:
    """The trail is whole as far as can be known: chained, as its checkpoints and those kept elsewhere say, and with an
    entry for each job that was closed or purged. Without a vault no signature is looked at.

    Raises:
        ChainBroken: with the entry.
    """
    key = str(vault.check_value(AUDIT)) if vault is not None else None
    elsewhere = list(kept)
    for checkpoint in elsewhere:
        _check_signature(checkpoint, vault, key, f"the checkpoint of entry {checkpoint.entry} that was kept elsewhere")
    digests = _Digests(checkpoint.entry for checkpoint in elsewhere)
    signed = checkpoints = foreign = count = 0
    last = ""
    for entry in digests.noting(verified_entries(bureau)):
        count, last = entry.id, entry.digest.hex()
        if entry.action != CHECKPOINT:
            continue
        checkpoint = _of_entry(entry)
        _check_signature(checkpoint, vault, key, f"audit entry {entry.id}, a checkpoint,")
        if digests.of(checkpoint.entry) != checkpoint.digest:
            raise ChainBroken(_rewritten(signed, checkpoint.entry))
        if checkpoint.key == key:
            signed, checkpoints = checkpoint.entry, checkpoints + 1
        else:
            foreign += 1
    for checkpoint in elsewhere:
        if checkpoint.entry > count:
            raise ChainBroken(f"audit entry {count + 1} is missing, and all to {checkpoint.entry}: the end was cut off")
        if digests.of(checkpoint.entry) != checkpoint.digest:
            raise ChainBroken(_rewritten(0, checkpoint.entry))
    _require_ends(bureau)
    if vault is not None and foreign and not checkpoints:
        raise ChainBroken(
            f"none of {foreign} checkpoints is signed by this key store: it is another trail's, or forged"
        )
    return Verdict(count, last, signed, checkpoints, foreign)


class _Digests:
    """The digests of the entries that checkpoints speak of. Those in the trail speak of the entry before them or of a
    little earlier; only so many are remembered."""

    def __init__(self, wanted: Iterable[int]) -> None:
        self._wanted = set(wanted)
        self._found: dict[int, str] = {}
        self._recent: dict[int, str] = {}

    def noting(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self._recent[entry.id] = entry.digest.hex()
            if entry.id in self._wanted:
                self._found[entry.id] = self._recent[entry.id]
            yield entry
            self._recent.pop(entry.id - ENTRIES_APART, None)

    def of(self, entry: int) -> str | None:
        return self._found.get(entry) or self._recent.get(entry)


def _store(connection: Connection, vault: KeyVault, actor: str) -> Checkpoint | None:
    query = select(event.c.id, event.c.digest).order_by(event.c.id.desc()).limit(1)
    last = connection.execute(query).first()
    if last is None:
        return None
    at = round(float(connection.execute(select(now_seconds())).scalar_one()), 3)
    made = Checkpoint.signed(last.id, bytes(last.digest).hex(), at, vault)
    note(connection, None, actor, CHECKPOINT, **made._asdict())
    return made


def _of_entry(entry: Entry) -> Checkpoint:
    try:
        found = Checkpoint.parse(entry.details)
        if found.entry >= entry.id:
            raise ValueError
    except (TypeError, ValueError, KeyError):
        raise ChainBroken(f"audit entry {entry.id} says that it is a checkpoint and is none") from None
    return found


def _check_signature(checkpoint: Checkpoint, vault: KeyVault | None, key: str | None, what: str) -> None:
    if vault is not None and checkpoint.key == key and not checkpoint.is_signed_by(vault):
        raise ChainBroken(f"{what} is not signed by the key that it names: it was forged")


def _rewritten(good: int, entry: int) -> str:
    where = f"audit entry {entry}" if entry == good + 1 else f"an audit entry from {good + 1} to {entry}"
    return f"{where} was changed, and all after it rewritten: the checkpoint of entry {entry} does not fit"


def _require_ends(bureau: Bureau) -> None:
    """Each job that is closed or purged has its entry."""
    query = select(job.c.id, job.c.name, job.c.closed_at, job.c.purged_at).order_by(job.c.id)
    with bureau.transaction() as connection:
        last = connection.execute(select(func.coalesce(func.max(event.c.id), 0))).scalar_one()
        for row in connection.execute(query).all():
            for at, action in ((row.closed_at, _CLOSED), (row.purged_at, "purge begun")):
                said = select(event.c.id).where(event.c.job == row.id, event.c.action == action)
                if at is not None and not connection.execute(said.where(event.c.at >= at - _LATE_SECONDS)).first():
                    raise ChainBroken(
                        f"audit entry {last + 1} or an earlier one is missing: job {row.name} has no entry "
                        f"'{action}', so the end was cut off"
                    )


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(file.absolute().parent)
