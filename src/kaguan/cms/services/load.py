"""Load (圈存): money from the medical insurance account, or from a replaced card, onto the chip.

The request id of `begin_load` is the load's own id: confirm, cancel and grey are asked under the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from kaguan.apdu.errors import RuleBroken
from kaguan.cms.ledger.accounts import balance, personal_account, purse_account, unloaded_account
from kaguan.cms.ledger.posting import Detail, Move, find_pending, moves_of, reserve
from kaguan.cms.models import Card, Transfer
from kaguan.cms.rules.money import FundsSource, check_amount, check_source, check_whole, forbidden
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services import reservation
from kaguan.cms.services.case import Case
from kaguan.cms.services.chip.waiting import check_purse_free
from kaguan.cms.services.pin import check_pin_serves
from kaguan.cms.services.reservation import Resolution
from kaguan.cms.services.use_case import question, use_case

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


@question("allow load", Right.LOAD)
def allow_load(case: Case, /, *, card_no: str, amount_fen: int) -> None:
    """Return when the amount may be loaded here. No PIN is asked for before this.

    Refuses, in this order: no such card, own card, card state, expired, amount or limit, PIN blocked or void or still
    the first one where the region wants it changed, something still open.
    """
    check_pin_serves(_loadable_card(case, card_no, amount_fen))
    reservation.check_nothing_open(card_no)


@question("allow carry-over", Right.LOAD)
def allow_carry_over(case: Case, /, *, card_no: str) -> int:
    """Return the fen that may be carried over to this card now. No PIN is asked for before this.

    Refuses, in this order: no such card, own card, card state, expired, PIN as `allow_load`, replaces no card, no old
    purse that is free (`check_purse_free`), nothing left, something still open.
    """
    check_pin_serves(case.usable_card(card_no))
    left_fen = sum(move.amount_fen for move in _carried(case, card_no))
    if not left_fen:
        raise NotEligible(f"nothing that can be carried over to card {card_no} is left")
    reservation.check_nothing_open(card_no)
    return left_fen


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
    card = _loadable_card(case, card_no, amount_fen)
    return _reserve(
        case,
        card,
        LOAD,
        [Move(personal_account(card.holder_id), purse_account(card_no), amount_fen)],
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
    """Leave what the books have on the purses of the replaced cards reserved for this card, their successor.

    A card replaced by one that was replaced itself counts as well; one whose purse is not free yet is left out.
    Refuses, in this order: no such card, own card, card state, expired, replaces no card, no old purse
    that is free (`check_purse_free`), not the amount that is there, the chip shows more than the books.
    """
    card = case.usable_card(card_no)
    check_whole(amount_fen)
    moves = _carried(case, card_no)
    left_fen = sum(move.amount_fen for move in moves)
    if amount_fen != left_fen:
        raise NotEligible(f"{left_fen} fen can be carried over, not {amount_fen}: all of it is carried")
    return _reserve(
        case,
        card,
        CARRY_OVER,
        moves,
        purse_before_fen=purse_before_fen,
        online_sequence=online_sequence,
        terminal_no=terminal_no,
        terminal_time=terminal_time,
    )


def load_before(institution: str, load_id: UUID, *, card_no: str, amount_fen: int) -> Resolution | None:
    """Return what became of this load when it was asked for before. Refuses as `reservation.asked_before`."""
    return reservation.asked_before(institution, LOAD, load_id, card_no=card_no, amount_fen=amount_fen)


def carry_over_before(institution: str, load_id: UUID, *, card_no: str) -> Resolution | None:
    """Return what became of this carry-over when it was asked for before. Refuses as `reservation.asked_before`."""
    return reservation.asked_before(institution, CARRY_OVER, load_id, card_no=card_no, amount_fen=None)


def open_load(load_id: UUID) -> PendingLoad:
    """Return the load that is neither confirmed nor cancelled, as it was begun.

    Refuses with NotFound, AlreadyResolved, in this order.
    """
    with transaction.atomic():
        transfer = find_pending(load_id)
    if transfer.kind not in _KINDS:
        raise NotFound(f"{load_id} is a {transfer.kind}, no load")
    return _pending(load_id, transfer)


def load_under(card_no: str, online_sequence: int) -> bool:
    """Return whether the books have a confirmed load of the card under this number of the chip."""
    return reservation.settled_with(_KINDS, {"card_no": card_no, "online_sequence": online_sequence})


@use_case("confirm load", Right.LOAD, Resolution)
def confirm_load(case: Case, /, *, tac: str) -> Resolution:
    """Leave the load in the purse's books: the chip said so in a TAC (hex), which the caller has verified."""
    return reservation.confirm(case, _KINDS, case.request_id, tac)


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


def _loadable_card(case: Case, card_no: str, amount_fen: int) -> Card:
    card = case.usable_card(card_no)
    check_amount(amount_fen, limit_fen=card.region.rules().load_limit_fen)
    return card


def _carried(case: Case, card_no: str) -> list[Move]:
    """Return the moves that bring everything on the free purses that this card replaced, nearest first."""
    replaced = _replaced_cards(card_no)
    refusals: list[RuleBroken] = []
    free: list[Card] = []
    for old in replaced:
        try:
            check_purse_free(old, case.at)
        except RuleBroken as refusal:
            refusals.append(refusal)
        else:
            free.append(old)
    if not free:
        raise refusals[0]
    case.note(old_card_nos=[old.card_no for old in free])
    purses = [purse_account(old.card_no) for old in free]
    return [Move(purse, purse_account(card_no), left_fen) for purse in purses if (left_fen := balance(purse))]


def _replaced_cards(card_no: str) -> list[Card]:
    """Return the card that this one replaced, the card which that one replaced, and so on."""
    replaced: list[Card] = []
    successor = card_no
    while (old := Card.objects.select_for_update(no_key=True).filter(replaced_by=successor).first()) is not None:
        replaced.append(old)
        successor = old.card_no
    if not replaced:
        raise NotEligible(f"card {card_no} replaces no other card")
    return replaced


def _reserve(
    case: Case,
    card: Card,
    kind: str,
    moves: list[Move],
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
    case.note(amount_fen=sum(move.amount_fen for move in moves), online_sequence=online_sequence)
    transfer = reserve(case.request_id, kind, moves, through=unloaded_account(card.holder_id), memo=memo)
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
