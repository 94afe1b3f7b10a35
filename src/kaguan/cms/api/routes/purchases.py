"""Purchases from the chip's purse: authorised before the chip is debited, then recorded, cancelled, or grey.

Whoever has the reader does the chip's part, as with loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for, goes_on
from kaguan.cms.api.routes.loads import ChipTook
from kaguan.cms.api.shapes import CardNo, ChipSequence, Fen, Moment, Strict, TerminalNo, Why
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.services import purchase
from kaguan.cms.services.purchase import AuthorisedPurchase
from kaguan.cms.services.reservation import Resolution

router: Final = Router(tags=["purchases"])


class ItemBought(Strict):
    """One line of the bill."""

    category: ItemCategory
    amount_fen: Fen


class Bill(Strict):
    """Which card is to pay for what."""

    card_no: CardNo
    items: Annotated[list[ItemBought], Field(min_length=1, max_length=200)]

    def bought(self) -> list[Item]:
        """Return the lines as use cases take them."""
        return [Item(line.category, line.amount_fen) for line in self.items]


class PurchaseBegun(Bill):
    """The bill, and what chip and terminal say before."""

    offline_sequence: ChipSequence
    terminal_no: TerminalNo
    terminal_time: Moment


@dataclass(frozen=True, slots=True)
class PurchaseAllowed:
    """The sum of the bill."""

    amount_fen: int


@router.post("/allowance", response=answers(PurchaseAllowed), operation_id="allow_purchase")
def allow(request: HttpRequest, body: Bill) -> PurchaseAllowed:
    """Ask whether the card may pay the bill here, before a PIN is asked for."""
    return PurchaseAllowed(
        purchase.allow_purchase(*asks_for(request, uuid4()), card_no=body.card_no, items=body.bought())
    )


@router.post("", response=answers(AuthorisedPurchase), operation_id="authorise_purchase")
def authorise(request: HttpRequest, key: Key, seen: Seen, body: PurchaseBegun) -> AuthorisedPurchase:
    """Hold the sum of the bill; the key becomes the purchase's id."""
    return purchase.authorise_purchase(
        *asks_for(request, key, seen),
        card_no=body.card_no,
        items=body.bought(),
        offline_sequence=body.offline_sequence,
        terminal_no=body.terminal_no,
        terminal_time=body.terminal_time,
    )


@router.post("/{purchase_id}/record", response=answers(Resolution), operation_id="record_purchase")
def record(request: HttpRequest, purchase_id: UUID, body: ChipTook) -> Resolution:
    """Tell that the chip was debited; the purchase's id is the key."""
    return purchase.record_purchase(*goes_on(request, purchase_id), tac=body.tac)


@router.post("/{purchase_id}/cancellation", response=answers(Resolution), operation_id="cancel_purchase")
def cancel(request: HttpRequest, purchase_id: UUID, body: Why) -> Resolution:
    """Tell that the chip was not debited; the purchase's id is the key."""
    return purchase.cancel_purchase(*goes_on(request, purchase_id), why=body.why)


@router.post("/{purchase_id}/grey", response=answers(Resolution), operation_id="mark_purchase_grey")
def mark_grey(request: HttpRequest, purchase_id: UUID) -> Resolution:
    """Tell that the chip's answer was lost; the purchase's id is the key."""
    return purchase.mark_purchase_grey(*goes_on(request, purchase_id))
