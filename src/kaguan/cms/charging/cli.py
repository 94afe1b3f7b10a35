"""`kaguan cms fee`: what a card costs its holder, registered, paid, taken back; and `kaguan cms order overdue`."""

from __future__ import annotations

from uuid import UUID

import click

from kaguan.cms.asking.cli import Request, changes, names_document
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.lifecycle import ExchangeReason

_KINDS = {kind.name.lower(): kind for kind in FeeKind}


@click.group()
def fee() -> None:
    """What a card costs its holder."""


@fee.command("register")
@names_document
@click.option("--kind", type=click.Choice(list(_KINDS)), required=True, help="What the card is.")
@click.option("--reason", type=click.Choice([code.value for code in ExchangeReason]), help="Of an exchange.")
@changes
def fee_register(request: Request, cert_type: str, cert_no: str, kind: str, reason: str | None) -> None:
    """Register what the person has to pay for a card, as the region says."""
    from kaguan.cms.services.fees import register_fee

    asked = {"cert_type": cert_type, "cert_no": cert_no, "reason": reason or ""}
    request.show(register_fee(request.actor, request.request_id, kind=_KINDS[kind], **asked))


@fee.command("pay")
@click.argument("fee_id", type=click.UUID)
@click.option("--receipt-no", required=True)
@changes
def fee_pay(request: Request, fee_id: UUID, receipt_no: str) -> None:
    """Book that fee FEE_ID is paid: the card may be ordered."""
    from kaguan.cms.services.fees import pay_fee

    request.show(pay_fee(request.actor, request.request_id, fee_id=fee_id, receipt_no=receipt_no))


@fee.command("withdraw")
@click.argument("fee_id", type=click.UUID)
@changes
def fee_withdraw(request: Request, fee_id: UUID) -> None:
    """Take fee FEE_ID back, for which nothing was ordered yet."""
    from kaguan.cms.services.fees import withdraw_fee

    request.show(withdraw_fee(request.actor, request.request_id, fee_id=fee_id))


@fee.command("list")
@names_document
@changes
def fee_list(request: Request, cert_type: str, cert_no: str) -> None:
    """Show the person's fees, the newest first."""
    from kaguan.cms.services.fees import look_at_fees

    for one in look_at_fees(request.actor, request.request_id, cert_type=cert_type, cert_no=cert_no):
        request.show(one)


@click.command("overdue")
@changes
def order_overdue(request: Request) -> None:
    """Show orders whose cards are late."""
    from kaguan.cms.services.deadlines import overdue_orders

    for order in overdue_orders(request.actor, request.request_id):
        request.show(order)


ON_ORDERS = (order_overdue,)
GROUPS = (fee,)
