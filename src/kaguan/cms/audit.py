"""The audit log: who asked for what, where, when, and what came of it.

Law. Every line's hash covers the line and the hash before it: none can be changed, dropped or put in unseen.
Law. Personal numbers stand masked in it; PINs, keys and cryptograms never stand in it.

Cutting off the newest lines leaves a sound shorter chain: note the head outside the database to see that too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from kaguan.cms.canonical import fingerprint
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.documents import mask_name, mask_number, mask_text
from kaguan.cms.rules.refusals import ProofFailed

FIRST_HASH: Final = "0" * 64

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
    """How many lines the log has, and the hash of the newest."""

    entries: int
    head: str


def append(line: AuditLine) -> AuditEntry:
    """Leave the line at the end of the log; call it inside the transaction that it tells of."""
    newest = AuditEntry.objects.select_for_update().order_by("-sequence").first()
    entry = AuditEntry(
        sequence=newest.sequence + 1 if newest else 1,
        at=line.at,
        operator=line.operator[:20],
        institution=line.institution[:20],
        action=line.action,
        request_id=line.request_id,
        outcome=line.outcome,
        detail=_clean(line.detail),
        previous_hash=newest.hash if newest else FIRST_HASH,
    )
    entry.hash = _hash(entry)
    entry.save(force_insert=True)
    return entry


def verify_chain() -> ChainHead:
    """Return the number of lines and the newest hash when every line is as it was written.

    Raises:
        ProofFailed: naming the first line that was changed, lost or put in.
    """
    return check_chain(AuditEntry.objects.order_by("sequence").iterator())


def check_chain(entries: Iterable[AuditEntry]) -> ChainHead:
    """Return the head of these lines, given oldest first; refuse as `verify_chain` does."""
    count, head = 0, FIRST_HASH
    for entry in entries:
        if entry.sequence != count + 1:
            raise ProofFailed(f"audit entry {count + 1} is missing: the log goes on with entry {entry.sequence}")
        if entry.previous_hash != head or entry.hash != _hash(entry):
            raise ProofFailed(f"audit entry {entry.sequence} ({entry.action}) is not what was written")
        count, head = entry.sequence, entry.hash
    return ChainHead(count, head)


def _hash(entry: AuditEntry) -> str:
    return fingerprint(
        {
            "sequence": entry.sequence,
            "at": entry.at.astimezone(UTC).isoformat(),
            "operator": entry.operator,
            "institution": entry.institution,
            "action": entry.action,
            "request_id": entry.request_id,
            "outcome": entry.outcome,
            "detail": entry.detail,
            "previous_hash": entry.previous_hash,
        }
    )


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
