"""The audit log: who asked for what, where, when, and what came of it.

Law. Every line's hash covers the line and the hash before it: none can be changed, dropped or put in unseen.
Law. Personal numbers stand masked in it; PINs, keys and cryptograms never stand in it.

The log has lanes, each a chain of its own, so that clients of a server who end their requests at the same moment need
not queue: a request takes the first lane that nobody is writing to, and holds it until it is committed. A file has
one writer and one lane. A line's `sequence` holds its lane in the upper bits and its place there, from 1, in the lower.

Cutting off the newest lines leaves a sound shorter chain: signed checkpoints outside the database show that too
(`kaguan.cms.auditing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from kaguan.cms.canonical import fingerprint
from kaguan.cms.compiled import Compiled, insert
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.documents import mask_name, mask_number, mask_text
from kaguan.cms.rules.refusals import ProofFailed

FIRST_HASH: Final = "0" * 64
LANES: Final = 16
LANE_SIZE: Final = 2**48

_LANE_LOCKS: Final = 0x4B41  # the first half of an advisory lock of PostgreSQL, the lane is the other
_FREE_LANE: Final = (
    f"(SELECT lane FROM generate_series(0, {LANES - 1}) AS lane"  # noqa: S608 - numbers of this file
    f" WHERE pg_try_advisory_xact_lock({_LANE_LOCKS}, lane) LIMIT 1)"
)
_WAIT_FOR_LANE: Final = (
    f"SELECT mod(pg_backend_pid(), {LANES}), pg_advisory_xact_lock({_LANE_LOCKS}, mod(pg_backend_pid(), {LANES}))"
)

_NEWEST: Final[Compiled[tuple[int, str]]] = Compiled(
    lambda above, below: (
        AuditEntry.objects.filter(sequence__gt=above, sequence__lt=below)
        .order_by("-sequence")
        .values_list("sequence", "hash")[:1]
    ),
    above=int,
    below=int,
)

CHAINED: Final = (
    "sequence",
    "at",
    "operator",
    "institution",
    "action",
    "request_id",
    "outcome",
    "detail",
    "previous_hash",
)
"""What a line's hash covers."""
_NUMBERS: Final = frozenset({"cert_no", "phone", "bank_card_no"})
_SECRETS: Final = frozenset({"pin", "tac", "mac", "key", "password"})


@dataclass(frozen=True, slots=True)
class AuditLine:
    """What one line says, before it is chained."""

    at: datetime
    operator: str
    institution: str
    action: str
    request_id: UUID
    outcome: str
    detail: Mapping[str, object]


class ChainHead(NamedTuple):
    """How many lines the log has, and the hash of the newest: of several lanes, a hash over all their newest."""

    entries: int
    head: str


class LaneHead(NamedTuple):
    """How many lines a lane has, and the hash of its newest."""

    lane: int
    entries: int
    head: str


_NOTHING_YET: Final = LaneHead(0, 0, FIRST_HASH)


def append(line: AuditLine, *, together_with: Callable[..., Any] | None = None) -> int:
    """Leave the line at the end of a lane, and return its sequence; call it last inside the transaction.

    `together_with` leaves another row: it is an `insert` that awaits nothing but what it is to return.
    """
    lane = _take_lane(together_with)
    first = (lane * LANE_SIZE, FIRST_HASH)
    newest, previous_hash = _NEWEST.first(above=lane * LANE_SIZE, below=(lane + 1) * LANE_SIZE) or first
    content: dict[str, Any] = {
        "sequence": newest + 1,
        "at": line.at,
        "operator": line.operator[:20],
        "institution": line.institution[:20],
        "action": line.action,
        "request_id": line.request_id,
        "outcome": line.outcome,
        "detail": _clean(line.detail),
        "previous_hash": previous_hash,
    }
    insert(AuditEntry, **content, hash=_hash(content))
    return newest + 1


def place_of(sequence: int) -> str:
    """Return the line's place as people read it: `7`, or `3/7` for the seventh line of lane 3."""
    lane, place = divmod(sequence, LANE_SIZE)
    return f"{lane}/{place}" if lane else str(place)


def verify_chain() -> ChainHead:
    """Return the number of lines and the newest hash when every line is as it was written.

    Raises:
        ProofFailed: naming the first line that was changed, lost or put in.
    """
    return check_chain(all_entries())


def all_entries() -> Iterator[AuditEntry]:
    """Give every line, lane by lane, oldest first."""
    return AuditEntry.objects.order_by("sequence").iterator()


def check_chain(entries: Iterable[AuditEntry]) -> ChainHead:
    """Return the head of these lines, given lane by lane and oldest first; refuse as `verify_chain` does."""
    heads: dict[int, LaneHead] = {}
    for entry in checked(entries):
        lane, place = divmod(entry.sequence, LANE_SIZE)
        heads[lane] = LaneHead(lane, place, entry.hash)
    return head_of(list(heads.values()))


def checked(entries: Iterable[AuditEntry], *, after: LaneHead = _NOTHING_YET) -> Iterator[AuditEntry]:
    """Give the lines on, each found to be as it was written and to follow; refuse as `verify_chain` does.

    The first line follows the one `after`, or begins another lane.
    """
    lane, place, head = after
    for entry in entries:
        if entry.sequence // LANE_SIZE != lane:
            lane, place, head = entry.sequence // LANE_SIZE, 0, FIRST_HASH
        expected = lane * LANE_SIZE + place + 1
        if entry.sequence != expected:
            raise ProofFailed(
                f"audit entry {place_of(expected)} is missing: the log goes on with entry {place_of(entry.sequence)}"
            )
        if entry.previous_hash != head or entry.hash != _hash(vars(entry)):
            raise ProofFailed(f"audit entry {place_of(entry.sequence)} ({entry.action}) is not what was written")
        place, head = place + 1, entry.hash
        yield entry


def head_of(lanes: list[LaneHead]) -> ChainHead:
    """Return the head of the whole log, given that of each lane."""
    entries = sum(lane.entries for lane in lanes)
    if [lane.lane for lane in lanes] in ([], [0]):
        return ChainHead(entries, lanes[0].head if lanes else FIRST_HASH)
    return ChainHead(entries, fingerprint([list(lane) for lane in lanes]))


def as_chained(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a hash covers of the line with this content, in the form in which it is hashed."""
    return {**{name: content[name] for name in CHAINED}, "at": content["at"].astimezone(UTC).isoformat()}


def _take_lane(leave_row: Callable[..., Any] | None) -> int:
    """Return a lane that nobody else writes to before this transaction has ended; the row is left."""
    if connection.vendor != "postgresql":
        if leave_row is not None:
            leave_row()
        return 0
    lane = leave_row(returning=_FREE_LANE) if leave_row is not None else _asked(f"SELECT {_FREE_LANE}")
    return int(_asked(_WAIT_FOR_LANE) if lane is None else lane)


def _asked(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def _hash(content: Mapping[str, Any]) -> str:
    """Return what chains a line with this content, its hash left aside, to the lines before."""
    return fingerprint(as_chained(content))


def _clean(detail: Mapping[str, object]) -> dict[str, object]:
    secret = _SECRETS & detail.keys()
    if secret:
        raise AssertionError(f"{', '.join(sorted(secret))} must not reach the audit log")
    return {key: _masked(key, value) for key, value in detail.items()}


def _masked(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if key in _NUMBERS:
        return mask_number(value)
    return mask_name(value) if key == "name" else mask_text(value)
