"""Loads (圈存) and carry-overs: reserved before the chip is told, then confirmed, cancelled, or grey.

Whoever has the reader does the chip's part and verifies its TAC before confirming. The key of what begins a load is the
load's own id; confirm, cancel and grey are asked under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for, goes_on
from kaguan.cms.api.shapes import CardNo, ChipFen, ChipSequence, Fen, Moment, Strict, TerminalNo, Why
from kaguan.cms.services import load
from kaguan.cms.services.load import Nothing, PendingLoad
from kaguan.cms.services.reservation import Resolution

router: Final = Router(tags=["loads"])

Tac = Annotated[str, Field(pattern=r"^[0-9A-F]{8}$", description="What the chip answered, verified before.")]


class AmountAsked(Strict):
    """Which card, and how much."""

    card_no: CardNo
    amount_fen: Fen


class CardAsked(Strict):
    """Which card."""

    card_no: CardNo


class LoadBegun(Strict):
    """How much goes to which card, and what chip and terminal say before."""

    card_no: CardNo
    amount_fen: Fen
    purse_before_fen: ChipFen
    online_sequence: ChipSequence
    terminal_no: TerminalNo
    terminal_time: Moment


class ChipTook(Strict):
    """The chip's own word that it did."""

    tac: Tac


class CashOffered(Strict):
    """How much somebody wants to pay in."""

    amount_fen: Fen


@dataclass(frozen=True, slots=True)
class CarryOverAllowed:
    """How much may be carried over to the card now."""

    amount_fen: int


@router.post("/loads/allowance", response=answers(None, status=204), operation_id="allow_load")
def allow(request: HttpRequest, body: AmountAsked) -> Status[None]:
    """Ask whether so much may be loaded here, before a PIN is asked for."""
    load.allow_load(*asks_for(request, uuid4()), card_no=body.card_no, amount_fen=body.amount_fen)
    return Status(204, None)


@router.post("/loads", response=answers(PendingLoad), operation_id="begin_load")
def begin(request: HttpRequest, key: Key, seen: Seen, body: LoadBegun) -> PendingLoad:
    """Reserve the amount for the chip; the key becomes the load's id."""
    return load.begin_load(*asks_for(request, key, seen), **body.model_dump())


@router.post("/carry-overs/allowance", response=answers(CarryOverAllowed), operation_id="allow_carry_over")
def allow_carry_over(request: HttpRequest, body: CardAsked) -> CarryOverAllowed:
    """Ask how much the replaced cards left, before a PIN is asked for."""
    return CarryOverAllowed(load.allow_carry_over(*asks_for(request, uuid4()), card_no=body.card_no))


@router.post("/carry-overs", response=answers(PendingLoad), operation_id="begin_carry_over")
def begin_carry_over(request: HttpRequest, key: Key, seen: Seen, body: LoadBegun) -> PendingLoad:
    """Reserve what the replaced cards left for this one's chip; the key becomes the load's id."""
    return load.begin_carry_over(*asks_for(request, key, seen), **body.model_dump())


@router.post("/loads/{load_id}/confirmation", response=answers(Resolution), operation_id="confirm_load")
def confirm(request: HttpRequest, load_id: UUID, body: ChipTook) -> Resolution:
    """Tell that the chip took the load; the load's id is the key."""
    return load.confirm_load(*goes_on(request, load_id), tac=body.tac)


@router.post("/loads/{load_id}/cancellation", response=answers(Resolution), operation_id="cancel_load")
def cancel(request: HttpRequest, load_id: UUID, body: Why) -> Resolution:
    """Tell that the chip did not take the load; the load's id is the key."""
    return load.cancel_load(*goes_on(request, load_id), why=body.why)


@router.post("/loads/{load_id}/grey", response=answers(Resolution), operation_id="mark_load_grey")
def mark_grey(request: HttpRequest, load_id: UUID) -> Resolution:
    """Tell that the chip's answer was lost; the load's id is the key."""
    return load.mark_load_grey(*goes_on(request, load_id))


@router.post("/cards/{card_no}/cash-top-up", response=answers(Nothing), operation_id="top_up_in_cash")
def top_up_in_cash(request: HttpRequest, card_no: CardNo, key: Key, body: CashOffered) -> Nothing:
    """Never: cash does not reach the medical side. That it was asked stays in the audit log."""
    return load.refuse_cash_top_up(*asks_for(request, key), card_no=card_no, amount_fen=body.amount_fen)
