"""Money on its way to or from a chip: reserved, then confirmed, cancelled, or grey until somebody finds out.

Law. Of confirming and cancelling exactly one ever happens, however often and from wherever it is asked.
Law. The state of the card is not looked at any more: the chip has already done it or not, and the books follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kaguan.cms.ledger.accounts import AccountKind
from kaguan.cms.ledger.posting import Detail, Phase, find, reroute, settle, void
from kaguan.cms.models import Transfer
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.case import Case


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of a reservation: settled, void, or pending while it is grey; the amount is in fen."""

    transfer_id: str
    card_no: str
    amount_fen: int
    phase: str


def confirm(case: Case, kinds: frozenset[str], transfer_id: UUID, evidence: Detail) -> Resolution:
    """Leave the money where the chip says it is; the evidence (TAC) was verified before and is kept."""
    _own(case, kinds, transfer_id)
    return _told(case, settle(transfer_id, evidence=evidence))


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


def _own(case: Case, kinds: frozenset[str], transfer_id: UUID) -> None:
    """Return when the reservation is of such a kind, and made where the actor works or watched by the authority."""
    transfer = find(transfer_id)
    elsewhere = transfer.content["memo"].get("institution") != case.institution.code
    if transfer.kind not in kinds or (elsewhere and case.institution.kind != InstitutionKind.AUTHORITY):
        raise NotFound(f"{case.institution.code} has no {' or '.join(sorted(kinds))} {transfer_id}")


def _told(case: Case, transfer: Transfer) -> Resolution:
    memo = transfer.content["memo"]
    amount_fen = sum(amount_fen for _, _, amount_fen in transfer.content["moves"])
    case.note(transfer_kind=transfer.kind, card_no=memo["card_no"], amount_fen=amount_fen, phase=transfer.phase)
    return Resolution(str(case.request_id), memo["card_no"], amount_fen, transfer.phase)
