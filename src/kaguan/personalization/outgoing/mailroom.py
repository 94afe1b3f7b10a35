"""PINs on their way to the mailer room: a sealed file of who gets which, and of no card.

Law 1. Two people let PINs out, and the audit trail says so before the file is there.
Law 2. A PIN goes out for a good card alone: for the one that the row has now.
Law 3. What was sent and is to be destroyed is destroyed only when the file is whole on the disk.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.durable import whole_file
from kaguan.personalization.care.wiping import secure_delete, wipe
from kaguan.personalization.job.audit import note
from kaguan.personalization.job.job import Job
from kaguan.personalization.job.operators import TwoPeople, require_operators
from kaguan.personalization.job.schema import State
from kaguan.personalization.order.reading import Holder, Task, open_order
from kaguan.personalization.outgoing.links import card_link
from kaguan.personalization.paper.pinfile import PinRecord, write_pins
from kaguan.personalization.station.pins import DRAWN
from kaguan.personalization.station.records import JobRecords
from kaguan.vault.secret import Secret

_OWNER_ONLY = 0o600
_AT_ONCE = 500
_ADDRESSES = (("df01ef0623", "df01ef0624"), ("df01ef0521", "df01ef050e"))
"""Columns of address and postcode: where the holder lives, else where he is registered."""


class Address(NamedTuple):
    """Where a mailer goes."""

    address: str
    postcode: str


@dataclass
class Sent:
    """What has gone into the file: the rows, and how many have no address."""

    rows: list[int]
    without_address: int = 0


def write_pin_file(
    job: Job,
    records: JobRecords,
    people: TwoPeople,
    path: Path,
    key: Secret,
    *,
    rows: Sequence[int] = (),
    task_addresses: Mapping[str, str] | None = None,
    destroy: bool = False,
) -> Sent:
    """The file holds the PINs of the job's good cards, or of those of these rows, sealed under the key of the mailer
    room; with `destroy` the database has none of them any more.

    `task_addresses` are for collective delivery, by task.
    Raises:
        RuleBroken: the job's PINs are not drawn, or there is no such good card.
        NotAuthenticated: one of the people is no operator.
        InputError: a long number stands in a name or an address; no file is written.
        InUse: the PINs are deleted, and the database's file cannot be written anew now: do it again.
    """
    if job.terms.pins != DRAWN:
        raise RuleBroken(f"job {job.terms.name} has the profile's PIN on every card: there is nothing to send")
    sent = Sent([])
    with whole_file(path, mode=_OWNER_ONLY) as file:
        count = write_pins(file, _records(job, records, rows, task_addresses, sent), key, secrets.token_bytes)
        if not count:
            raise RuleBroken(f"job {job.terms.name} has no PIN to send: no such good card, or they were destroyed")
        with job.bureau.transaction() as connection:
            require_operators(connection, people)
            note(connection, job.key, people.asked, "PINs sent", pins=count, approved_by=people.approved)
    if destroy:
        with job.bureau.transaction() as connection:
            secure_delete(connection)
            records.pins.destroy(connection, sent.rows)
            note(connection, job.key, people.asked, "PINs destroyed", pins=count, approved_by=people.approved)
        wipe(job.bureau)
    return sent


def task_addresses(order: Path, job: Job) -> dict[str, str]:
    """Where each task's cards are delivered together, as its order says.

    Raises:
        RuleBroken: it is not the job's order.
    """
    with order.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != job.terms.order_digest:
        raise RuleBroken(f"{order} is not the order of job {job.terms.name}")
    with open_order(order) as opened:
        return {entry.task_id: entry.columns["taskaddr"] for entry in opened if isinstance(entry, Task)}


def _records(
    job: Job, records: JobRecords, rows: Sequence[int], tasks: Mapping[str, str] | None, sent: Sent
) -> Iterator[PinRecord]:
    good = job.settled(State.GOOD)
    if rows:
        good = (row for number in dict.fromkeys(rows) for row in job.settled(State.GOOD, number=number))
    while batch := list(islice(good, _AT_ONCE)):
        pins = records.pins.known([row.number for row in batch])
        for row in batch:
            if row.number not in pins:
                continue
            holder, _ = records.open_any(row.number, row.sealed)
            where = Address(tasks.get(row.task_id, ""), "") if tasks is not None else _address(holder)
            sent.rows.append(row.number)
            sent.without_address += not where.address
            link = card_link(records, row.serial)
            try:
                yield PinRecord(link, holder.name, where.address, where.postcode, pins[row.number])
            except InputError as error:
                raise InputError(f"row {row.number}: {error}") from None


def _address(holder: Holder) -> Address:
    for address, postcode in _ADDRESSES:
        if text := holder.columns.get(address, ""):
            return Address(text, holder.columns.get(postcode, ""))
    return Address("", "")
