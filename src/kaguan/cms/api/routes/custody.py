"""Cards in custody: placed, offered to a colleague and taken over or not, sent back, recovered, scrapped."""

from __future__ import annotations

from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import CardNo, Code, Strict
from kaguan.cms.rules.production import ScrapReason, UndeliverableReason
from kaguan.cms.services import custody
from kaguan.cms.services.case import CardState
from kaguan.cms.services.custody import CustodyReceipt

router: Final = Router(tags=["custody"])

CardNumbers = Annotated[list[CardNo], Field(min_length=1, max_length=500)]


class PlaceWanted(Strict):
    """Where the card is put."""

    cabinet: Code
    position: Code


class Offer(Strict):
    """Which cards are offered, to which colleague."""

    card_nos: CardNumbers
    taker: Code


class CardsNamed(Strict):
    """Which cards."""

    card_nos: CardNumbers


class StockReturn(Strict):
    """Which cards go back, why, and to which institution."""

    card_nos: CardNumbers
    reason: UndeliverableReason
    taker: Code


class ScrapWanted(Strict):
    """Why the card is destroyed."""

    reason: ScrapReason


@router.post("/cards/{card_no}/place", response=answers(CustodyReceipt), operation_id="place_card")
def place(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: PlaceWanted) -> CustodyReceipt:
    """Put a card in a position of a cabinet."""
    return custody.place_card(
        *asks_for(request, key, seen), card_no=card_no, cabinet=body.cabinet, position=body.position
    )


@router.post("/cards/{card_no}/recovery", response=answers(CardState), operation_id="recover_card")
def recover(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Take a card back into custody."""
    return custody.recover_card(*asks_for(request, key, seen), card_no=card_no)


@router.post("/cards/{card_no}/scrap", response=answers(CardState), operation_id="scrap_card")
def scrap(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: ScrapWanted) -> CardState:
    """Put a destroyed card on record."""
    return custody.scrap_card(*asks_for(request, key, seen), card_no=card_no, reason=body.reason)


@router.post("/custody/offers", response=answers(CustodyReceipt), operation_id="offer_cards")
def offer(request: HttpRequest, key: Key, body: Offer) -> CustodyReceipt:
    """Offer cards to a colleague."""
    return custody.offer_cards(*asks_for(request, key), card_nos=body.card_nos, taker=body.taker)


@router.post("/custody/takings", response=answers(CustodyReceipt), operation_id="take_cards")
def take(request: HttpRequest, key: Key, body: CardsNamed) -> CustodyReceipt:
    """Take over cards that a colleague offered."""
    return custody.take_cards(*asks_for(request, key), card_nos=body.card_nos)


@router.post("/custody/refusals", response=answers(CustodyReceipt), operation_id="refuse_cards")
def refuse(request: HttpRequest, key: Key, body: CardsNamed) -> CustodyReceipt:
    """Leave offered cards with the colleague who has them."""
    return custody.refuse_cards(*asks_for(request, key), card_nos=body.card_nos)


@router.post("/custody/returns", response=answers(CustodyReceipt), operation_id="return_stock")
def send_back(request: HttpRequest, key: Key, body: StockReturn) -> CustodyReceipt:
    """Send cards that cannot be delivered back."""
    return custody.return_stock(*asks_for(request, key), card_nos=body.card_nos, reason=body.reason, taker=body.taker)
