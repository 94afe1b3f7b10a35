"""Reconciliation (对账调账): two people at the authority end a transfer that neither books nor chip can explain.

The request id of `ask_reconciliation` is the reconciliation's own id; the approval is a request of its own.

Law. Whoever asked does not approve, and neither acts on a card of their own.
Law. A transfer ends once: the first approval, or the counter that found out meanwhile, has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from uuid import UUID

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.posting import Phase, find, find_pending, moves_of, settle, void
from kaguan.cms.models import Card, Reconciliation, Transfer
from kaguan.cms.queries import open_reservations
from kaguan.cms.rules.refusals import NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.pages import rows_after
from kaguan.cms.services.reservation import Resolution, resolution_of
from kaguan.cms.services.use_case import question, use_case


class Outcome(StrEnum):
    """What became of the money: it reached its destination, or it goes back where it came from."""

    SETTLED = Phase.SETTLED.value
    VOID = Phase.VOID.value


@dataclass(frozen=True, slots=True)
class AskedReconciliation:
    """A reconciliation that waits for a second person; the amount is in fen."""

    reconciliation_id: str
    transfer_id: str
    card_no: str
    amount_fen: int
    outcome: str


@dataclass(frozen=True, slots=True)
class OpenReconciliation:
    """What waits to be approved, with what was found; the amount is in fen, the moment in ISO 8601."""

    reconciliation_id: str
    transfer_id: str
    card_no: str
    amount_fen: int
    outcome: str
    reason: str
    evidence: str
    asked_by: str
    institution: str
    at: str


@use_case("ask reconciliation", Right.RECONCILE, AskedReconciliation)
def ask_reconciliation(
    case: Case, /, *, transfer_id: UUID, outcome: Outcome, reason: str, evidence: str
) -> AskedReconciliation:
    """Leave on record how the open transfer is to end, why, and what shows it; no money moves yet.

    Refuses, in this order: not at the authority, no reason or no evidence, no such transfer, ended already, own card.
    """
    _at_authority(case)
    if not reason.strip() or not evidence.strip():
        raise NotEligible("a reconciliation needs a reason, and evidence that somebody else can look up")
    pending = _open_with_card(case, transfer_id)
    resolution = resolution_of(transfer_id, pending)
    case.note(transfer=str(transfer_id), amount_fen=resolution.amount_fen, asked_outcome=outcome.value, reason=reason)
    Reconciliation.objects.create(
        reconciliation_id=case.new_id(Reconciliation),
        transfer=find(transfer_id),
        outcome=outcome,
        reason=reason,
        evidence=evidence,
        asked_by=case.operator.code,
        institution=case.institution.code,
        at=case.at,
    )
    return AskedReconciliation(
        str(case.request_id), str(transfer_id), resolution.card_no, resolution.amount_fen, outcome.value
    )


@use_case("approve reconciliation", Right.APPROVE, Resolution)
def approve_reconciliation(case: Case, /, *, reconciliation_id: UUID) -> Resolution:
    """Leave the transfer ended as was asked, with reason, evidence and both names beside it.

    Refuses, in this order: not at the authority, no such reconciliation, asked by the same operator, ended already,
    own card.
    """
    _at_authority(case)
    asked = Reconciliation.objects.select_related("transfer").filter(pk=reconciliation_id).first()
    if asked is None:
        raise NotFound(f"no reconciliation {reconciliation_id} is on the books")
    _check_in_reach(case, asked.transfer, f"no reconciliation {reconciliation_id} is on the books")
    if asked.asked_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} asked for it: another one has to approve")
    transfer_id = asked.transfer.pk
    _open_with_card(case, transfer_id)
    end = settle if asked.outcome == Outcome.SETTLED else void
    ended = end(
        transfer_id,
        evidence={
            "reconciliation": str(asked.pk),
            "reason": asked.reason,
            "evidence": asked.evidence,
            "asked_by": asked.asked_by,
            "approved_by": case.operator.code,
        },
    )
    resolution = resolution_of(transfer_id, ended)
    case.note(reconciliation=str(asked.pk), transfer=str(transfer_id), phase=resolution.phase)
    case.note(amount_fen=resolution.amount_fen, reason=asked.reason, asked_by=asked.asked_by)
    return resolution


@question("list reconciliations", Right.RECONCILE)
def open_reconciliations(
    case: Case, /, *, after: UUID | None = None, most: int | None = None
) -> list[OpenReconciliation]:
    """Return what can still be approved about cards in reach, oldest first, without the actor's own card.

    At most so many that come after the one with that id, which need not be open any more; all of them if not said.
    Refuses, in this order: not at the authority, no such reconciliation.
    """
    _at_authority(case)
    open_ids = {row["transfer"] for row in open_reservations()}
    asked = Reconciliation.objects.select_related("transfer")
    last = None
    if after is not None:
        absent = f"no reconciliation {after} is on the books"
        last = asked.filter(pk=after).first()
        if last is None:
            raise NotFound(absent)
        _check_in_reach(case, last.transfer, absent)
    waiting = [row for row in rows_after(asked, last) if str(row.transfer.pk) in open_ids]
    cards = Card.objects.filter(pk__in=[row.transfer.content["memo"]["card_no"] for row in waiting])
    shown = cards.filter(region__in=case.regions)
    if case.operator.holder_id is not None:
        shown = shown.exclude(holder=case.operator.holder_id)
    within = set(shown.values_list("pk", flat=True))
    return list(islice((_told(row) for row in waiting if row.transfer.content["memo"]["card_no"] in within), most))


def _told(asked: Reconciliation) -> OpenReconciliation:
    return OpenReconciliation(
        str(asked.pk),
        str(asked.transfer.pk),
        asked.transfer.content["memo"]["card_no"],
        sum(move.amount_fen for move in moves_of(asked.transfer)),
        asked.outcome,
        asked.reason,
        asked.evidence,
        asked.asked_by,
        asked.institution,
        asked.at.isoformat(timespec="seconds"),
    )


def _at_authority(case: Case) -> None:
    if case.institution.kind != InstitutionKind.AUTHORITY:
        raise NotAllowed(f"{case.institution.code} is no authority: only the authority reconciles")


def _check_in_reach(case: Case, transfer: Transfer, otherwise: str) -> None:
    """Return when the transfer's card exists for the actor; refuse with NotFound as if there were no transfer."""
    if not Card.objects.filter(pk=transfer.content["memo"].get("card_no"), region__in=case.regions).exists():
        raise NotFound(otherwise)


def _open_with_card(case: Case, transfer_id: UUID) -> Transfer:
    """Return the newest transfer of the chain, still pending; its card stays locked until the request ends."""
    _check_in_reach(case, find(transfer_id), f"no transfer {transfer_id} is on the books")
    pending = find_pending(transfer_id)
    case.card(pending.content["memo"]["card_no"])
    return pending
