"""Money on its way to or from a chip: reserved, then confirmed, cancelled, or grey until somebody finds out.

Law. Of confirming and cancelling exactly one ever happens, however often and from wherever it is asked.
Law. The state of the card is not looked at any more: the chip has already done it or not, and the books follow.
Law. While a card has something open nothing new begins with it: the next transaction would destroy the chip's proof.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from kaguan.cms.ledger.accounts import AccountKind
from kaguan.cms.ledger.posting import Detail, Phase, first_of, newest_of, reroute, settle, void
from kaguan.cms.models import Transfer
from kaguan.cms.rules.refusals import AlreadyResolved, IdempotencyConflict, NeedsReconciliation, NotEligible, NotFound
from kaguan.cms.services.case import Case

_TAC: Final = re.compile(r"[0-9A-F]{8}")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a reservation: settled, void, or pending while it is grey; the amount is in fen."""

    transfer_id: str
    card_no: str
    amount_fen: int
    phase: str


def confirm(case: Case, kinds: frozenset[str], transfer_id: UUID, tac: str) -> Resolution:
    """Leave the money where the chip says it is; its TAC was verified before and is kept.

    Refuses, in this order: no TAC at all (its form), not of the actor's institution, voided before.
    """
    if not _TAC.fullmatch(tac):
        raise NotEligible("a TAC is eight upper-case hex digits: give the one that the chip answered")
    _own(case, kinds, transfer_id)
    return _told(case, settle(transfer_id, evidence={"tac": tac}))


def cancel(case: Case, kinds: frozenset[str], transfer_id: UUID, why: str) -> Resolution:
    """Leave the money back where it came from, because the chip did not move it."""
    _own(case, kinds, transfer_id)
    return _told(case, void(transfer_id, evidence={"why": why}))


def mark_grey(case: Case, kinds: frozenset[str], transfer_id: UUID) -> Resolution:
    """Leave the money in the grey account: the chip's answer was lost, so nobody knows yet."""
    _own(case, kinds, transfer_id)
    return _told(case, reroute(transfer_id, through=AccountKind.GREY.value))


def settled_with(kinds: frozenset[str], memo: Detail) -> bool:
    """Return whether a transfer of such a kind, with all this in its memo, has reached its destination."""
    looked_for = {f"content__memo__{name}": value for name, value in memo.items()}
    return Transfer.objects.filter(kind__in=kinds, phase=Phase.SETTLED, **looked_for).exists()


def check_nothing_open(card_no: str) -> None:
    """Return when nothing is on its way to or from the card; refuse with NeedsReconciliation otherwise."""
    pending = Transfer.objects.filter(phase=Phase.PENDING, resolved_by=None, content__memo__card_no=card_no).first()
    if pending is not None:
        raise NeedsReconciliation(
            f"{pending.kind} {first_of(pending).pk} of card {card_no} is still open: "
            f"recover it at {pending.content['memo']['institution']} first, or have it reconciled"
        )


def asked_before(
    institution: str, kind: str, transfer_id: UUID, *, card_no: str, amount_fen: int | None
) -> Resolution | None:
    """Return what became of the reservation when it was asked for before, None when it never was.

    An `amount_fen` of None means whatever there was. Refuses, in this order: asked for elsewhere, or for another
    kind, card or amount (IdempotencyConflict); cancelled meanwhile (AlreadyResolved).
    """
    if not Transfer.objects.filter(pk=transfer_id).exists():
        return None
    with transaction.atomic():
        newest = newest_of(transfer_id)
    resolution = resolution_of(transfer_id, newest)
    same_place = newest.content["memo"].get("institution") == institution
    same = same_place and (newest.kind, resolution.card_no) == (kind, card_no)
    if not same or amount_fen not in {None, resolution.amount_fen}:
        raise IdempotencyConflict(f"request {transfer_id} asked for something else before")
    return landed(resolution)


def landed(resolution: Resolution) -> Resolution:
    """Return the resolution when the money reached its destination; refuse with AlreadyResolved otherwise."""
    if resolution.phase == Phase.VOID:
        raise AlreadyResolved(f"{resolution.transfer_id} was cancelled, the chip has not done it: ask under a new id")
    return resolution


def resolution_of(transfer_id: UUID, transfer: Transfer) -> Resolution:
    """Return what the newest transfer of its chain says of the reservation."""
    amount_fen = sum(amount_fen for _, _, amount_fen in transfer.content["moves"])
    card_no = transfer.content["memo"].get("card_no", "")
    return Resolution(str(transfer_id), card_no, amount_fen, transfer.phase)


def _own(case: Case, kinds: frozenset[str], transfer_id: UUID) -> None:
    """Return when the reservation is of such a kind, and made where the actor works."""
    transfer = Transfer.objects.filter(pk=transfer_id).first()
    ours = transfer is not None and transfer.kind in kinds
    if transfer is None or not ours or transfer.content["memo"].get("institution") != case.institution.code:
        raise NotFound(f"{case.institution.code} has no {' or '.join(sorted(kinds))} {transfer_id}")


def _told(case: Case, transfer: Transfer) -> Resolution:
    resolution = resolution_of(case.request_id, transfer)
    case.note(
        transfer_kind=transfer.kind,
        card_no=resolution.card_no,
        amount_fen=resolution.amount_fen,
        phase=resolution.phase,
    )
    return resolution
