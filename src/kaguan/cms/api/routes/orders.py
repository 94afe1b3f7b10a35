"""Orders at the bureau: of new cards, of checked requests, and of one that takes the place of another."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import CardNo, Day, OptionalCode, PersonName, PersonNamed, Strict, text
from kaguan.cms.rules.lifecycle import ExchangeReason
from kaguan.cms.services import orders, production
from kaguan.cms.services.case import CardState
from kaguan.cms.services.orders import NewCard, OrderReceipt, OrderRow
from kaguan.cms.services.production import RequestRow

router: Final = Router(tags=["orders"])
MOST_ROWS: Final = 500

OrderNo = Annotated[str, text(40)]
BankCode = Annotated[str, text(15)]
OptionalBankCode = Annotated[str, text(15, shortest=0)]


class CardOrdered(PersonNamed):
    """One card of an order, and whose it is."""

    card_no: CardNo
    name: PersonName
    bank_code: BankCode
    bank_card_no: OptionalCode = ""
    issue_date: Day
    valid_until: Day

    def row(self) -> OrderRow:
        """Return it as use cases take it."""
        return OrderRow(**self.model_dump())


class CardsOrdered(Strict):
    """A new order."""

    order_no: OrderNo
    rows: Annotated[list[CardOrdered], Field(min_length=1, max_length=MOST_ROWS)]


class RequestOrdered(Strict):
    """The card that a checked request becomes."""

    card_request_id: UUID
    card_no: CardNo
    issue_date: Day
    valid_until: Day
    bank_card_no: OptionalCode = ""

    def row(self) -> RequestRow:
        """Return it as use cases take it."""
        return RequestRow(**self.model_dump())


class RequestsOrdered(Strict):
    """An order of checked requests."""

    order_no: OrderNo
    rows: Annotated[list[RequestOrdered], Field(min_length=1, max_length=MOST_ROWS)]


class Replacement(Strict):
    """The card that takes the place of a lost one."""

    card_no: CardNo
    order_no: OrderNo
    issue_date: Day
    valid_until: Day
    bank_card_no: OptionalCode = ""

    def card(self) -> NewCard:
        """Return it as use cases take it."""
        return NewCard(**self.model_dump())


class Successor(Replacement):
    """The card that takes the place of another; without a bank code it is of the same bank."""

    bank_code: OptionalBankCode = ""


class Exchange(Strict):
    """Why the old card goes, and what comes."""

    reason: ExchangeReason
    new: Successor


@router.post("/orders", response=answers(OrderReceipt), operation_id="order_cards")
def order_cards(request: HttpRequest, key: Key, body: CardsOrdered) -> OrderReceipt:
    """Put an order on the books, whole or not at all; people not known yet are put there with it."""
    return orders.order_cards(
        *asks_for(request, key), order_no=body.order_no, rows=[ordered.row() for ordered in body.rows]
    )


@router.post("/orders/from-requests", response=answers(OrderReceipt), operation_id="order_requests")
def order_requests(request: HttpRequest, key: Key, body: RequestsOrdered) -> OrderReceipt:
    """Order a card for every checked request, whole or not at all; what each replaces ends with it."""
    return production.order_requests(
        *asks_for(request, key), order_no=body.order_no, rows=[ordered.row() for ordered in body.rows]
    )


@router.post("/cards/{card_no}/replacement", response=answers(CardState), operation_id="order_replacement")
def replace(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Replacement) -> CardState:
    """End a formally lost card and order the one that follows."""
    return orders.order_replacement(*asks_for(request, key, seen), card_no=card_no, new=body.card())


@router.post("/cards/{card_no}/exchange", response=answers(CardState), operation_id="order_exchange")
def exchange(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Exchange) -> CardState:
    """End a damaged or outdated card and order the one that follows."""
    return orders.order_exchange(
        *asks_for(request, key, seen), card_no=card_no, reason=body.reason, new=body.new.card()
    )


@router.post("/cards/{card_no}/renewal", response=answers(CardState), operation_id="order_renewal")
def renew(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Successor) -> CardState:
    """End a card near its last day and order the one that follows."""
    return orders.order_renewal(*asks_for(request, key, seen), card_no=card_no, new=body.card())
