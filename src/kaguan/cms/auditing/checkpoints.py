"""Checkpoints: what the audit log's lanes ended in, signed, in a file outside the database.

Law 1. Whoever rewrites the log from some line on, hashes and all, leaves a checkpoint behind that does not fit.
Law 2. Whoever cuts off lines that a checkpoint has seen is found out.
Law 3. A checkpoint is signed only over lines that were found to follow what the one before had signed.
Law 4. Each checkpoint covers the digest of the one before: none in the middle of the file can be taken out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kaguan.apdu.errors import InputError
from kaguan.cms.audit import FIRST_HASH, LANE_SIZE, LANES, LaneHead, all_entries, checked, head_of, place_of
from kaguan.cms.canonical import canonical
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.refusals import ProofFailed
from kaguan.cms.signing import is_signed
from kaguan.durable import locked, sync_folder

_WHAT: Final = b"kaguan cms audit checkpoint 1\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line of the file: its number from 1, when it was made, the head of every lane, what went before."""

    number: int
    at: str
    lanes: tuple[LaneHead, ...]
    previous: str
    signature: str = ""

    @property
    def entries(self) -> int:
        """How many lines of the log it has seen."""
        return sum(lane.entries for lane in self.lanes)

    def message(self) -> bytes:
        """What is signed: all but the signature."""
        fields = asdict(self)
        del fields["signature"]
        return _WHAT + canonical(fields)

    def line(self) -> str:
        """The text of it, as it stands in the file."""
        return canonical(asdict(self)).decode()

    def digest(self) -> str:
        """SHA-256 of the line, as the next one quotes it."""
        return sha256(self.line().encode()).hexdigest()


class Verdict(NamedTuple):
    """A log that holds: its lines, its head, how many of its lines checkpoints have signed, and how many these are."""

    entries: int
    head: str
    signed: int
    checkpoints: int


def make_checkpoint(key: Ed25519PrivateKey, file: Path) -> Checkpoint:
    """Leave a checkpoint of the log as it is now at the end of the file, which is made if it is not there.

    Reads what the log got since the last checkpoint, and no more.

    Raises:
        ProofFailed: the log does not follow from what the last checkpoint signed, or the file was changed.
        InputError: a line of the file is no checkpoint.
        InUse: another process is at the file.
    """
    with locked(file.with_name(file.name + ".lock"), str(file)):
        kept = read_checkpoints(file, key.public_key()) if file.exists() else []
        last = kept[-1] if kept else None
        signed = {lane.lane: lane for lane in last.lanes} if last else {}
        unsigned = Checkpoint(
            number=len(kept) + 1,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            lanes=tuple(_lanes_after(signed)),
            previous=last.digest() if last else FIRST_HASH,
        )
        made = _signed(unsigned, key)
        _append(file, made.line())
    return made


def read_checkpoints(file: Path, public_key: Ed25519PublicKey) -> list[Checkpoint]:
    """Return the checkpoints in the file, each signed by the key's owner and following the one before.

    Raises:
        InputError: a line is none.
        ProofFailed: one is not signed by this key, or one before it is missing.
    """
    kept: list[Checkpoint] = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        checkpoint = _parsed(line, f"{file.name}, line {number}")
        if not is_signed(public_key, bytes.fromhex(checkpoint.signature), checkpoint.message()):
            raise ProofFailed(f"checkpoint {number} in {file.name} is not signed by this key: it was forged or changed")
        if (checkpoint.number, checkpoint.previous) != (number, kept[-1].digest() if kept else FIRST_HASH):
            raise ProofFailed(f"checkpoint {number} in {file.name} does not follow the one before: one was taken out")
        kept.append(checkpoint)
    return kept


def verify_log(kept: Sequence[Checkpoint]) -> Verdict:
    """Return how much was proved: every line is as it was written, and as the checkpoints saw it.

    Raises:
        ProofFailed: naming the line, or the lines between which one was changed and all after it rewritten.
    """
    wanted = {lane.lane * LANE_SIZE + lane.entries: lane.head for checkpoint in kept for lane in checkpoint.lanes}
    found: dict[int, str] = {}
    heads: dict[int, LaneHead] = {}
    for entry in checked(all_entries()):
        lane, place = divmod(entry.sequence, LANE_SIZE)
        heads[lane] = LaneHead(lane, place, entry.hash)
        if entry.sequence in wanted:
            found[entry.sequence] = entry.hash
    good: dict[int, int] = {}
    for checkpoint in kept:
        for signed in checkpoint.lanes:
            _require_fit(checkpoint, signed, heads.get(signed.lane), found, good.get(signed.lane, 0))
            good[signed.lane] = signed.entries
    head = head_of([heads[lane] for lane in sorted(heads)])
    return Verdict(head.entries, head.head, kept[-1].entries if kept else 0, len(kept))


def _require_fit(
    checkpoint: Checkpoint, signed: LaneHead, now: LaneHead | None, found: Mapping[int, str], good: int
) -> None:
    entries = now.entries if now else 0
    first_of_lane = signed.lane * LANE_SIZE
    if signed.entries > entries:
        raise ProofFailed(
            f"audit entry {place_of(first_of_lane + entries + 1)} is missing, and all to "
            f"{place_of(first_of_lane + signed.entries)}: the end was cut off after checkpoint {checkpoint.number}"
        )
    if found[first_of_lane + signed.entries] != signed.head:
        raise ProofFailed(
            f"an audit entry from {place_of(first_of_lane + good + 1)} to "
            f"{place_of(first_of_lane + signed.entries)} was changed, and all after it rewritten: checkpoint "
            f"{checkpoint.number} does not fit"
        )


def _lanes_after(signed: Mapping[int, LaneHead]) -> Iterator[LaneHead]:
    """Give every lane's head now, its newest lines found to follow what was signed."""
    for lane in range(LANES):
        last = signed.get(lane, LaneHead(lane, 0, FIRST_HASH))
        first_of_lane = lane * LANE_SIZE
        if last.entries:
            kept = AuditEntry.objects.filter(pk=first_of_lane + last.entries).values_list("hash", flat=True).first()
            if kept != last.head:
                where = place_of(first_of_lane + last.entries)
                raise ProofFailed(f"audit entry {where} is not what the last checkpoint signed, or is gone")
        new = AuditEntry.objects.filter(
            sequence__gt=first_of_lane + last.entries, sequence__lt=first_of_lane + LANE_SIZE
        ).order_by("sequence")
        for entry in checked(new.iterator(), after=last):
            last = LaneHead(lane, entry.sequence - first_of_lane, entry.hash)
        if last.entries:
            yield last


def _signed(unsigned: Checkpoint, key: Ed25519PrivateKey) -> Checkpoint:
    return Checkpoint(
        unsigned.number, unsigned.at, unsigned.lanes, unsigned.previous, key.sign(unsigned.message()).hex()
    )


def _parsed(line: bytes, where: str) -> Checkpoint:
    try:
        fields: dict[str, Any] = json.loads(line)
        lanes = tuple(LaneHead(int(lane), int(entries), str(head)) for lane, entries, head in fields.pop("lanes"))
        checkpoint = Checkpoint(lanes=lanes, **fields)
        bytes.fromhex(checkpoint.signature)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InputError(f"{where}: this is no checkpoint") from None
    return checkpoint


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(file.absolute().parent)
