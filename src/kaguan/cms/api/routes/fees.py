"""What a card costs its holder: registered, paid, taken back; and orders whose cards are late."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import PersonNamed, Strict, text
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.lifecycle import ExchangeReason
from kaguan.cms.services import fees
from kaguan.cms.services.deadlines import OverdueOrder, overdue_orders
from kaguan.cms.services.fees import FeeRecord

router: Final = Router(tags=["fees"])


class FeeWanted(PersonNamed):
    """Who is to pay for which card; an exchange has a reason."""

    kind: FeeKind
    reason: ExchangeReason | None = None


class Payment(Strict):
    """The receipt's number."""

    receipt_no: Annotated[str, text(40)]


@router.post("/fees", response=answers(FeeRecord), operation_id="register_fee")
def register(request: HttpRequest, key: Key, body: FeeWanted) -> FeeRecord:
    """Register what the person has to pay, as the region says; the key becomes the fee's own id."""
    return fees.register_fee(
        *asks_for(request, key),
        cert_type=body.cert_type,
        cert_no=body.cert_no,
        kind=body.kind,
        reason=body.reason or "",
    )


@router.post("/fees/search", response=answers(list[FeeRecord]), operation_id="look_at_fees")
def search(request: HttpRequest, body: PersonNamed) -> list[FeeRecord]:
    """List the person's fees, the newest first."""
    return fees.look_at_fees(*asks_for(request, uuid4()), cert_type=body.cert_type, cert_no=body.cert_no)


@router.post("/fees/{fee_id}/payment", response=answers(FeeRecord), operation_id="pay_fee")
def pay(request: HttpRequest, fee_id: UUID, key: Key, body: Payment) -> FeeRecord:
    """Book that the fee is paid: the card may be ordered."""
    return fees.pay_fee(*asks_for(request, key), fee_id=fee_id, receipt_no=body.receipt_no)


@router.post("/fees/{fee_id}/withdrawal", response=answers(FeeRecord), operation_id="withdraw_fee")
def withdraw(request: HttpRequest, fee_id: UUID, key: Key) -> FeeRecord:
    """Take a fee back for which nothing was ordered yet."""
    return fees.withdraw_fee(*asks_for(request, key), fee_id=fee_id)


@router.get("/orders/overdue", response=answers(list[OverdueOrder]), operation_id="list_overdue_orders")
def overdue(request: HttpRequest) -> list[OverdueOrder]:
    """List the orders whose cards are late, the one that is late for longest first."""
    return overdue_orders(*asks_for(request, uuid4()))
