"""Load (圈存): money from the medical insurance account, or from a replaced card, onto the chip.

The request id of `begin_load` is the load's own id: confirm, cancel and grey are asked under the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from kaguan.cms.ledger.accounts import balance, personal_account, purse_account, unloaded_account
from kaguan.cms.ledger.posting import Detail, Move, find_pending, moves_of, reserve
from kaguan.cms.models import Card, CardEvent, Transfer
from kaguan.cms.rules.money import FundsSource, check_amount, check_source, forbidden
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services import reservation
from kaguan.cms.services.case import Case
from kaguan.cms.services.reservation import Resolution
from kaguan.cms.services.use_case import use_case

LOAD: Final = "load"
CARRY_OVER: Final = "carry-over"
_KINDS: Final = frozenset({LOAD, CARRY_OVER})


@dataclass(frozen=True, slots=True)
class PendingLoad:
    """A load that left the account and is not on the chip yet; amounts in fen.

    `purse_before_fen` and `online_sequence` are what the chip said before, `terminal_no` (hex) and `terminal_time`
    (ISO 8601) what the terminal will tell it: all that is needed to ask the chip later what it did.
    """

    load_id: str
    card_no: str
    amount_fen: int
    purse_before_fen: int
    online_sequence: int
    terminal_no: str
    terminal_time: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """The result of a use case that always refuses."""


@use_case("begin load", Right.LOAD, PendingLoad)
def begin_load(
    case: Case,
    /,
    *,
    card_no: str,
    amount_fen: int,
    purse_before_fen: int,
    online_sequence: int,
    terminal_no: str,
    terminal_time: datetime,
    source: FundsSource = FundsSource.MEDICAL_ACCOUNT,
) -> PendingLoad:
    """Leave the amount reserved between the personal account and the purse; the chip may be loaded now.

    Refuses, in this order: forbidden source, no such card, own card, card state, expired, amount or limit, the chip
    shows more than the books, too little in the account.
    """
    check_source(source)
    card = case.usable_card(card_no)
    check_amount(amount_fen, limit_fen=card.region.rules().load_limit_fen)
    return _reserve(
        case,
        card,
        LOAD,
        Move(personal_account(card.holder_id), purse_account(card_no), amount_fen),
        purse_before_fen=purse_before_fen,
        online_sequence=online_sequence,
        terminal_no=terminal_no,
        terminal_time=terminal_time,
    )


@use_case("begin carry-over", Right.LOAD, PendingLoad)
def begin_carry_over(
    case: Case,
    /,
    *,
    card_no: str,
    amount_fen: int,
    purse_before_fen: int,
    online_sequence: int,
    terminal_no: str,
    terminal_time: datetime,
) -> PendingLoad:
    """Leave what the books have on the replaced card's purse reserved for this card, its successor.

    Refuses, in this order: no such card, own card, card state, expired, replaces no card, old chip neither blocked
    nor lost for the region's days, not the amount that is on it, the chip shows more than the books.
    """
    card = case.usable_card(card_no)
    old = _replaced_card(card_no)
    _check_harmless(case, old)
    left_fen = balance(purse_account(old.card_no))
    if amount_fen != left_fen:
        raise NotEligible(f"the purse of card {old.card_no} has {left_fen} fen, not {amount_fen}: all of it is carried")
    case.note(old_card_no=old.card_no)
    return _reserve(
        case,
        card,
        CARRY_OVER,
        Move(purse_account(old.card_no), purse_account(card_no), amount_fen),
        purse_before_fen=purse_before_fen,
        online_sequence=online_sequence,
        terminal_no=terminal_no,
        terminal_time=terminal_time,
    )


def carried_fen(card_no: str) -> int:
    """Return what the books have left on the purse of the card that this one replaced; refuse with NotEligible."""
    return balance(purse_account(_replaced_card(card_no).card_no))


def open_load(load_id: UUID) -> PendingLoad:
    """Return the load that is neither confirmed nor cancelled, as it was begun.

    Refuses with NotFound, AlreadyResolved, in this order.
    """
    transfer = find_pending(load_id)
    if transfer.kind not in _KINDS:
        raise NotFound(f"{load_id} is a {transfer.kind}, no load")
    return _pending(load_id, transfer)


def load_under(card_no: str, online_sequence: int) -> bool:
    """Return whether the books have a confirmed load of the card under this number of the chip."""
    return reservation.settled_with(_KINDS, {"card_no": card_no, "online_sequence": online_sequence})


@use_case("confirm load", Right.LOAD, Resolution)
def confirm_load(case: Case, /, *, tac: str) -> Resolution:
    """Leave the load in the purse's books: the chip said so in a TAC, which the caller has verified."""
    return reservation.confirm(case, _KINDS, case.request_id, {"tac": tac})


@use_case("cancel load", Right.LOAD, Resolution)
def cancel_load(case: Case, /, *, why: str) -> Resolution:
    """Leave the money back where it came from: the chip did not take the load."""
    return reservation.cancel(case, _KINDS, case.request_id, why)


@use_case("mark load grey", Right.LOAD, Resolution)
def mark_load_grey(case: Case, /) -> Resolution:
    """Leave the load grey: the chip's answer was lost; it is confirmed or cancelled later."""
    return reservation.mark_grey(case, _KINDS, case.request_id)


@use_case("top up in cash", Right.LOAD, Nothing)
def refuse_cash_top_up(case: Case, /, *, card_no: str, amount_fen: int) -> Nothing:
    """Never: always refused with ForbiddenSource and its reason; the audit log keeps that it was asked."""
    case.note(amount_fen=amount_fen)
    case.card(card_no)
    raise forbidden(FundsSource.CASH)


def _check_harmless(case: Case, old: Card) -> None:
    if old.chip_blocked_at is not None:
        return
    days = old.region.rules().purse_wait_days
    lost = CardEvent.objects.filter(card=old, event="report_formal_loss").order_by("id").last()
    if lost is None or case.at < lost.at + timedelta(days=days):
        raise NotEligible(
            f"the chip of card {old.card_no} is not blocked: its purse can be carried over {days} days after the loss"
        )


def _replaced_card(card_no: str) -> Card:
    old = Card.objects.select_for_update().filter(replaced_by=card_no).first()
    if old is None:
        raise NotEligible(f"card {card_no} replaces no other card")
    return old


def _reserve(
    case: Case,
    card: Card,
    kind: str,
    move: Move,
    *,
    purse_before_fen: int,
    online_sequence: int,
    terminal_no: str,
    terminal_time: datetime,
) -> PendingLoad:
    on_books_fen = balance(purse_account(card.card_no))
    if purse_before_fen > on_books_fen:
        raise NotEligible(
            f"the chip shows {purse_before_fen} fen, the books {on_books_fen}: the difference has to be explained first"
        )
    memo: Detail = {
        "card_no": card.card_no,
        "institution": case.institution.code,
        "purse_before_fen": purse_before_fen,
        "online_sequence": online_sequence,
        "terminal_no": terminal_no,
        "terminal_time": terminal_time.isoformat(),
    }
    case.note(amount_fen=move.amount_fen, online_sequence=online_sequence)
    transfer = reserve(case.request_id, kind, [move], through=unloaded_account(card.holder_id), memo=memo)
    return _pending(case.request_id, transfer)


def _pending(load_id: UUID, transfer: Transfer) -> PendingLoad:
    memo = transfer.content["memo"]
    return PendingLoad(
        load_id=str(load_id),
        card_no=memo["card_no"],
        amount_fen=sum(move.amount_fen for move in moves_of(transfer)),
        purse_before_fen=memo["purse_before_fen"],
        online_sequence=memo["online_sequence"],
        terminal_no=memo["terminal_no"],
        terminal_time=memo["terminal_time"],
    )
