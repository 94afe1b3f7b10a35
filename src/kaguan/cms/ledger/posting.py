"""Move money: at once (`post`), or reserved first and then settled or voided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from kaguan.cms.canonical import canonical
from kaguan.cms.ledger.accounts import HOLDING, kind_of, open_accounts
from kaguan.cms.models import Account, Entry, Transfer
from kaguan.cms.rules.money import check_whole
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    IdempotencyConflict,
    InsufficientFunds,
    LimitExceeded,
    NotFound,
)

MOST_FEN: Final = 10**15


Detail = Mapping[str, str | int]


class Phase(StrEnum):
    """Where a transfer stands; a pending one stays pending until another transfer resolves it."""

    POSTED = "posted"
    PENDING = "pending"
    SETTLED = "settled"
    VOID = "void"


class Move(NamedTuple):
    """A positive amount from one account to another."""

    source: str
    destination: str
    amount_fen: int


def post(transfer_id: UUID, kind: str, moves: Sequence[Move], *, memo: Detail | None = None) -> Transfer:
    """Leave every move made, or none; asked again with the same content, return the first transfer.

    Refuses with IdempotencyConflict, LimitExceeded, InsufficientFunds, in this order.
    """
    content = _content(kind, moves, memo, through="")
    with transaction.atomic():
        return _first(transfer_id, content) or _write(
            Transfer(transfer_id=transfer_id, kind=kind, phase=Phase.POSTED, content=content), moves
        )


def reserve(
    transfer_id: UUID, kind: str, moves: Sequence[Move], *, through: str, memo: Detail | None = None
) -> Transfer:
    """Leave the money out of its sources and in the holding account `through`, until it is settled or voided.

    Refuses as `post` does.
    """
    content = _content(kind, moves, memo, through=through)
    with transaction.atomic():
        return _first(transfer_id, content) or _write(
            Transfer(transfer_id=transfer_id, kind=kind, phase=Phase.PENDING, content=content),
            [Move(move.source, through, move.amount_fen) for move in moves],
        )


def reroute(pending_id: UUID, *, through: str) -> Transfer:
    """Leave the reserved money in another holding account, still to be settled or voided exactly once.

    Refuses with NotFound, AlreadyResolved, in this order.
    """
    with transaction.atomic():
        head = find_pending(pending_id)
        content = _content(head.kind, moves_of(head), head.content["memo"], through=through)
        held = head.content["through"]
        if held == through:
            return head
        return _write(
            Transfer(
                transfer_id=uuid5(head.transfer_id, f"through {through}"),
                kind=head.kind,
                phase=Phase.PENDING,
                resolves=head,
                content=content,
            ),
            [Move(held, through, move.amount_fen) for move in moves_of(head)],
        )


def settle(pending_id: UUID, *, evidence: Detail) -> Transfer:
    """Leave the reserved money at its destinations, with the evidence beside it.

    Refuses with NotFound, AlreadyResolved (voided before), IdempotencyConflict (settled on other evidence).
    """
    return _resolve(pending_id, Phase.SETTLED, evidence)


def void(pending_id: UUID, *, evidence: Detail) -> Transfer:
    """Leave the reserved money back where it came from.

    Refuses with NotFound, AlreadyResolved (settled before), IdempotencyConflict (voided on other evidence).
    """
    return _resolve(pending_id, Phase.VOID, evidence)


def find(transfer_id: UUID) -> Transfer:
    """Return the transfer that was written under this id; refuse with NotFound."""
    transfer = Transfer.objects.filter(pk=transfer_id).first()
    if transfer is None:
        raise NotFound(f"no transfer {transfer_id} is on the books")
    return transfer


def find_pending(pending_id: UUID) -> Transfer:
    """Return the transfer that holds the reserved money now, locked; refuse with NotFound, AlreadyResolved."""
    head = newest_of(pending_id)
    if head.phase != Phase.PENDING:
        raise AlreadyResolved(f"transfer {pending_id} is {head.phase} already")
    return head


def newest_of(transfer_id: UUID) -> Transfer:
    """Return the newest transfer in the chain of resolutions that begins with this one, locked; refuse with NotFound.

    Call it inside a transaction. Whoever comes second waits at the first transfer of the chain.
    """
    Transfer.objects.select_for_update(no_key=True).filter(pk=transfer_id).first()
    head = find(transfer_id)
    while (newer := Transfer.objects.select_for_update(no_key=True).filter(resolves=head).first()) is not None:
        head = newer
    return head


def first_of(transfer: Transfer) -> Transfer:
    """Return the transfer that the chain of resolutions began with: the one under the client's own id."""
    while transfer.resolves is not None:
        transfer = transfer.resolves
    return transfer


def moves_of(transfer: Transfer) -> list[Move]:
    """Return the moves that the transfer was asked for, whatever became of them."""
    return [Move(*move) for move in transfer.content["moves"]]


def _resolve(pending_id: UUID, phase: Phase, evidence: Detail) -> Transfer:
    with transaction.atomic():
        head = newest_of(pending_id)
        if head.phase != Phase.PENDING:
            if head.phase != phase or head.resolves is None:
                raise AlreadyResolved(f"transfer {pending_id} is {head.phase} already")
            if canonical(head.evidence) != canonical(evidence):
                raise IdempotencyConflict(f"transfer {pending_id} was {head.phase} on other evidence")
            return head
        held = head.content["through"]
        settled = phase is Phase.SETTLED
        return _write(
            Transfer(
                transfer_id=uuid5(head.transfer_id, phase),
                kind=head.kind,
                phase=phase,
                resolves=head,
                content=head.content,
                evidence=dict(evidence),
            ),
            [Move(held, move.destination if settled else move.source, move.amount_fen) for move in moves_of(head)],
        )


def _content(kind: str, moves: Sequence[Move], memo: Detail | None, *, through: str) -> dict[str, object]:
    if not moves:
        raise LimitExceeded("a transfer needs at least one move")
    if through and kind_of(through) not in HOLDING:
        raise ValueError(f"{through} is no holding account")
    for move in moves:
        check_whole(move.amount_fen)
        if not 0 < move.amount_fen <= MOST_FEN:
            raise LimitExceeded(f"{move.amount_fen} fen cannot be moved: it must be from 1 to {MOST_FEN}")
        if len({move.source, move.destination, through}) != 3:
            raise ValueError(f"{move} must lead from one account to another, and not end where it is held")
    return {
        "kind": kind,
        "moves": [[move.source, move.destination, move.amount_fen] for move in moves],
        "through": through,
        "memo": dict(memo or {}),
    }


def _first(transfer_id: UUID, content: dict[str, object]) -> Transfer | None:
    first = Transfer.objects.filter(pk=transfer_id).first()
    if first is not None and (first.resolves_id or canonical(first.content) != canonical(content)):
        raise IdempotencyConflict(f"transfer {transfer_id} was asked for before, with other content")
    return first


def _write(transfer: Transfer, moves: Sequence[Move]) -> Transfer:
    transfer.at = timezone.now()
    open_accounts({code for move in moves for code in (move.source, move.destination)})
    transfer.save(force_insert=True)
    for move in moves:
        enough = Q(may_go_negative=True) | Q(balance_fen__gte=move.amount_fen)
        if not Account.objects.filter(enough, code=move.source).update(balance_fen=F("balance_fen") - move.amount_fen):
            raise InsufficientFunds(f"{move.source} holds less than {move.amount_fen} fen")
        Account.objects.filter(code=move.destination).update(balance_fen=F("balance_fen") + move.amount_fen)
    Entry.objects.bulk_create(
        Entry(
            transfer=transfer,
            source_id=move.source,
            destination_id=move.destination,
            amount_fen=move.amount_fen,
        )
        for move in moves
    )
    return transfer
