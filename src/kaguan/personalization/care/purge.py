"""The personal data of closed jobs is destroyed when its time is over, and it is proved.

Law 1. What is destroyed is listed first, by digests, and the list is stored in the moment in which the job's data key
       goes. From then on nobody opens a record, and the purge goes on to its end however often it is killed.
Law 2. The key goes only when what stays was searched for the job's people, and none was found.
Law 3. An open job, one that was closed too late, and one that is held lose nothing.
What stays: counts and balance, serial numbers of chips, the audit trail, the order's digest, so that the same order
is not made again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import load_profile
from kaguan.durable import locked
from kaguan.personalization.care.belongings import LINE_LOCK, belongings, other_files, remove, require_folder_of
from kaguan.personalization.care.hold import is_held
from kaguan.personalization.care.proof import ACTION, VERSION, body_digest, signed_proof
from kaguan.personalization.care.search import People, leave_out_staff, people_in_database
from kaguan.personalization.care.wiping import secure_delete, wipe
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.schema import JobState, card, event, job, now_seconds, pin, purge
from kaguan.personalization.preparation.plan import plan_of
from kaguan.personalization.station.process import STATIONS_LOCK
from kaguan.personalization.station.records import open_records
from kaguan.vault.vault import KeyVault

DEFAULT_DAYS = 30
_DAY_SECONDS = 86_400.0
_AT_ONCE = 500


class PeopleLeft(RuleBroken):
    """Files or rows that are none of the program's name people of the job; nothing was destroyed."""


@dataclass(frozen=True, slots=True)
class Purge:
    """Who purges what: jobs closed for so many days, the files in the folder, if there is one."""

    by: str
    machine: str
    days: float = DEFAULT_DAYS
    folder: Path | None = None


def due_jobs(bureau: Bureau, days: float) -> list[Job]:
    """Jobs that are to be purged: closed for so many days and not held, or with a purge that did not end."""
    unfinished = select(purge.c.job).where(purge.c.ended_at.is_(None))
    closed = (job.c.state == JobState.CLOSED) & job.c.purged_at.is_(None)
    old = closed & (job.c.closed_at <= now_seconds() - days * _DAY_SECONDS)
    query = select(job.c.id).where(old | job.c.id.in_(unfinished)).order_by(job.c.id)
    with bureau.transaction() as connection:
        keys = [key for key in connection.execute(query).scalars().all() if not is_held(connection, key)]
    return [Job(bureau, key) for key in keys]


def purge_job(this: Job, vault: KeyVault, plan: Purge) -> str:
    """The proof that nothing of the job's people is left. One that was killed goes on; done twice it is done once.

    Raises:
        RuleBroken: the job is open, held, or was closed too short a time ago.
        PeopleLeft: what would stay names people.
        InUse: the folder, or the database's file, is in use.
    """
    folder = plan.folder if plan.folder is not None and plan.folder.is_dir() else None
    if folder is not None:
        require_folder_of(folder, this.terms.name)
    with ExitStack() as stack:
        if folder is not None:
            for name in (LINE_LOCK, STATIONS_LOCK):
                stack.enter_context(locked(folder / name, f"the job in {folder}"))
        begun = _last(this)
        if begun is None or (begun.ended_at is not None and _has_more(this, folder)):
            begun = _begin(this, vault, plan, folder)
        if begun.ended_at is None:
            _forget_rows(this)
            _forget_pins(this)
            wipe(this.bureau)
            if folder is not None:
                remove(folder, this.terms.order_digest)
            _finish(this, vault, begun)
            wipe(this.bureau)
    finished = _last(this)
    assert finished is not None and finished.proof is not None  # noqa: S101, PT018 - just stored
    return str(finished.proof)


def _has_more(this: Job, folder: Path | None) -> bool:
    """Whether another folder of the job has files about people still."""
    return folder is not None and bool(belongings(folder, this.terms.order_digest))


def _last(this: Job) -> Row[Any] | None:
    query = select(purge).where(purge.c.job == this.key).order_by(purge.c.id.desc()).limit(1)
    with this.bureau.transaction() as connection:
        return connection.execute(query).first()


def _begin(this: Job, vault: KeyVault, plan: Purge, folder: Path | None) -> Row[Any]:
    before = _require_due(this, plan.days)
    inventory: dict[str, Any] = {"by": plan.by, "machine": plan.machine, "folder": folder is not None}
    if before.data_key is None:  # its records are gone, another folder has files still
        inventory |= {"rows": 0, "pins": 0, "searched": None}
    else:
        people = People()
        inventory |= _sealed_rows(this, vault, people)
        inventory["searched"] = _search(this, people, folder)
    digest = this.terms.order_digest
    inventory["files"] = [found.described() for found in belongings(folder, digest)] if folder else []
    with this.bureau.transaction() as connection:
        secure_delete(connection)
        row = connection.execute(_state_query(this).with_for_update()).one()
        if row.closed_at != before.closed_at or row.purged_at != before.purged_at or is_held(connection, this.key):
            raise RuleBroken(f"job {this.terms.name} was opened again, held or purged meanwhile: nothing was destroyed")
        gone = update(job).where(job.c.id == this.key)
        connection.execute(
            gone.values(data_key=None, pin_key=None, purged_at=func.coalesce(job.c.purged_at, now_seconds()))
        )
        values = {"job": this.key, "folder": str(folder.resolve()) if folder else None, "begun_at": now_seconds()}
        new = insert(purge).values(**values, inventory=json.dumps(inventory, ensure_ascii=False))
        connection.execute(new)
        note(connection, this.key, plan.by, "purge begun", rows=inventory["rows"], files=len(inventory["files"]))
    begun = _last(this)
    assert begun is not None  # noqa: S101 - just stored
    return begun


def _state_query(this: Job) -> Any:
    return select(job.c.state, job.c.closed_at, job.c.purged_at, job.c.data_key, now_seconds().label("now")).where(
        job.c.id == this.key
    )


def _require_due(this: Job, days: float) -> Row[Any]:
    with this.bureau.transaction() as connection:
        row: Row[Any] = connection.execute(_state_query(this)).one()
        held = is_held(connection, this.key)
    name = this.terms.name
    if row.state != JobState.CLOSED:
        raise RuleBroken(f"job {name} is {row.state}: only a closed job is purged")
    if held:
        raise RuleBroken(f"job {name} is held: release it first ('kaguan perso purge release')")
    left = row.closed_at + days * _DAY_SECONDS - row.now
    if left > 0 and row.purged_at is None:
        raise RuleBroken(f"job {name} is to be kept for {left / _DAY_SECONDS:.1f} days more")
    return row


def _sealed_rows(this: Job, vault: KeyVault, people: People) -> dict[str, Any]:
    """How many rows are sealed and the digest over them, in the order's sequence; their people are learnt."""
    terms, whole, rows, last = this.terms, hashlib.sha256(), 0, 0
    records = open_records(this, vault, plan_of(load_profile(terms.profile), terms.columns))
    while True:
        query = select(card.c.number, card.c.sealed).where(card.c.job == this.key, card.c.number > last)
        with this.bureau.transaction() as connection:
            found = connection.execute(query.order_by(card.c.number).limit(_AT_ONCE)).all()
        for number, sealed in found:
            if sealed is not None:
                rows += 1
                whole.update(number.to_bytes(8, "big") + len(sealed).to_bytes(8, "big") + sealed)
                people.add(records.open_any(number, bytes(sealed))[0])
        if len(found) < _AT_ONCE:
            break
        last = found[-1].number
    wrapped = hashlib.sha256(this.data_key).hexdigest()
    with this.bureau.transaction() as connection:
        pins = connection.execute(select(func.count()).select_from(pin).where(pin.c.job == this.key)).scalar_one()
    return {"rows": rows, "pins": pins, "sealed_sha256": whole.hexdigest(), "data_key_sha256": wrapped}


def _search(this: Job, people: People, folder: Path | None) -> dict[str, int]:
    """What was searched for the job's people, who were nowhere."""
    leave_out_staff(this, people)
    if found := sorted(set(people_in_database(this, people))):
        raise PeopleLeft(f"table {found[0]} of {this.bureau.shown} names people of job {this.terms.name} in clear")
    others = other_files(folder, this.terms.order_digest) if folder else []
    if left := [path for path in others if people.are_in_file(path)]:
        raise PeopleLeft(
            f"{len(left)} files in {folder} name people of the job and are none of the program's; remove them or move "
            f"them away, the newest first: {_newest(left)}"
        )
    documents = sum(path.suffix == ".pdf" for path in others)
    return {"people": people.count, "files": len(others), "found": 0, "pdf_not_searched": documents}


def _newest(paths: list[Path]) -> str:
    """Their kinds and times: a name may name somebody."""
    newest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)[:5]
    return ", ".join(f"*{path.suffix} of {path.stat().st_size} bytes" for path in newest)


def _forget_rows(this: Job) -> None:
    """No row of the job holds a sealed record or a tag."""
    last = -1
    while True:
        chosen = select(card.c.number).where(card.c.job == this.key, card.c.number > last)
        with this.bureau.transaction() as connection:
            secure_delete(connection)
            numbers = connection.execute(chosen.order_by(card.c.number).limit(_AT_ONCE)).scalars().all()
            rest = card.c.sealed.is_not(None) | card.c.tag.is_not(None)
            if numbers:
                span = card.c.number.between(numbers[0], numbers[-1])
                connection.execute(update(card).where(card.c.job == this.key, span, rest).values(sealed=None, tag=None))
        if len(numbers) < _AT_ONCE:
            return
        last = numbers[-1]


def _forget_pins(this: Job) -> None:
    """No row of the job has a PIN."""
    with this.bureau.transaction() as connection:
        secure_delete(connection)
        connection.execute(delete(pin).where(pin.c.job == this.key))


def _finish(this: Job, vault: KeyVault, begun: Row[Any]) -> None:
    """The trail says that it is done, and the proof is stored."""
    with this.bureau.transaction() as connection:
        connection.execute(select(job.c.id).where(job.c.id == this.key).with_for_update())
        row = connection.execute(select(purge, now_seconds().label("now")).where(purge.c.id == begun.id)).one()
        if row.ended_at is not None:
            return
        inventory = json.loads(row.inventory)
        body = {
            "purge": VERSION,
            "number": row.id,
            "job": this.terms.name,
            "order_sha256": this.terms.order_digest,
            "begun_at": round(row.begun_at, 3),
            "ended_at": round(row.now, 3),
            **inventory,
        }
        entry, digest = _noted(connection, this, inventory, body)
        done = update(purge).where(purge.c.id == begun.id)
        connection.execute(done.values(ended_at=row.now, proof=signed_proof(body, entry, digest, vault)))


def _noted(connection: Connection, this: Job, inventory: dict[str, Any], body: dict[str, Any]) -> tuple[int, bytes]:
    """Number and digest of the entry that says so."""
    counts = {"rows": inventory["rows"], "files": len(inventory["files"])}
    note(connection, this.key, inventory["by"], ACTION, **counts, proof=body_digest(body))
    last = connection.execute(select(event.c.id, event.c.digest).order_by(event.c.id.desc()).limit(1)).one()
    return last.id, bytes(last.digest)
