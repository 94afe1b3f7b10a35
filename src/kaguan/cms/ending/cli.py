"""The commands that stop a card, end it, or order another one in its place; departures and temporary cards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import click

from kaguan.cms.asking.cli import DAY, Command, Request, changes, shows_document, with_options
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason, LockReason

if TYPE_CHECKING:
    from kaguan.cms.services.orders import NewCard


@click.command("lock")
@click.argument("card_no")
@click.option("--reason", type=click.Choice([code.value for code in LockReason]), required=True)
@changes
def card_lock(request: Request, card_no: str, reason: str) -> None:
    """Lock card CARD_NO until it is unlocked."""
    from kaguan.cms.services.lock import lock

    request.show(lock(request.actor, request.request_id, card_no=card_no, reason=LockReason(reason)))


@click.command("unlock")
@click.argument("card_no")
@changes
def card_unlock(request: Request, card_no: str) -> None:
    """Give the locked card CARD_NO back to use."""
    from kaguan.cms.services.lock import unlock

    request.show(unlock(request.actor, request.request_id, card_no=card_no))


@click.command("seal")
@click.argument("card_no")
@changes
def card_seal(request: Request, card_no: str) -> None:
    """Seal card CARD_NO, which nobody collects."""
    from kaguan.cms.services.lock import seal

    request.show(seal(request.actor, request.request_id, card_no=card_no))


@click.command("cancel")
@click.argument("card_no")
@click.option("--reason", type=click.Choice([code.value for code in CancelReason]), required=True)
@changes
def card_cancel(request: Request, card_no: str, reason: str) -> None:
    """End card CARD_NO for good."""
    from kaguan.cms.services.lock import cancel

    request.show(cancel(request.actor, request.request_id, card_no=card_no, reason=CancelReason(reason)))


def _describes_new_card(command: Command) -> Command:
    return with_options(
        command,
        click.argument("card_no"),
        click.argument("new_card_no"),
        click.option("--order-no", required=True),
        click.option("--issue-date", type=DAY, required=True),
        click.option("--valid-until", type=DAY, required=True),
        click.option("--bank-card-no", default=""),
    )


def _new_card(
    new_card_no: str,
    order_no: str,
    issue_date: datetime,
    valid_until: datetime,
    bank_card_no: str,
    bank_code: str = "",
) -> NewCard:
    from kaguan.cms.services.orders import NewCard

    return NewCard(new_card_no, order_no, issue_date.date(), valid_until.date(), bank_card_no, bank_code)


@click.command("exchange")
@_describes_new_card
@click.option("--reason", type=click.Choice([code.value for code in ExchangeReason]), required=True)
@click.option("--bank-code", default="", help="The new bank, when the bank changes.")
@changes
def replacement_exchange(
    request: Request,
    card_no: str,
    new_card_no: str,
    order_no: str,
    issue_date: datetime,
    valid_until: datetime,
    bank_card_no: str,
    reason: str,
    bank_code: str,
) -> None:
    """Cancel the damaged or outdated card CARD_NO and order NEW_CARD_NO in its place."""
    from kaguan.cms.services.orders import order_exchange

    new = _new_card(new_card_no, order_no, issue_date, valid_until, bank_card_no, bank_code)
    why = ExchangeReason(reason)
    request.show(order_exchange(request.actor, request.request_id, card_no=card_no, reason=why, new=new))


@click.command("renew")
@_describes_new_card
@changes
def replacement_renew(
    request: Request,
    card_no: str,
    new_card_no: str,
    order_no: str,
    issue_date: datetime,
    valid_until: datetime,
    bank_card_no: str,
) -> None:
    """Cancel card CARD_NO, whose validity ends, and order NEW_CARD_NO in its place."""
    from kaguan.cms.services.orders import order_renewal

    new = _new_card(new_card_no, order_no, issue_date, valid_until, bank_card_no)
    request.show(order_renewal(request.actor, request.request_id, card_no=card_no, new=new))


@click.command("bank")
@click.argument("card_no")
@click.option("--found", is_flag=True, help="The bank side is in use again.")
@changes
def loss_bank(request: Request, card_no: str, *, found: bool) -> None:
    """Report the bank side of card CARD_NO lost, or found; the social security side stays as it is."""
    from kaguan.cms.services.loss import release_bank_loss, report_bank_loss

    ask = release_bank_loss if found else report_bank_loss
    request.show(ask(request.actor, request.request_id, card_no=card_no))


@click.command("void")
@click.argument("card_no")
@changes
def pin_void(request: Request, card_no: str) -> None:
    """Write off the PIN of card CARD_NO, which was reset as often as it may be."""
    from kaguan.cms.services.pin import void_pin

    request.show(void_pin(request.actor, request.request_id, card_no=card_no))


@click.group()
def departure() -> None:
    """People who died or left."""


@departure.command("register")
@click.option("--cert-type", default="01", show_default=True, help="Kind of the document; 01 is the identity card.")
@click.option("--cert-no", prompt="Number of the person's identity document", help="Prompted for if not given.")
@click.option("--kind", type=click.Choice([kind.value for kind in DepartureKind]), required=True)
@click.option("--on", "happened_on", type=DAY, required=True)
@click.option("--evidence", required=True, help="What shows it, and where it can be looked up.")
@changes
def departure_register(
    request: Request, cert_type: str, cert_no: str, kind: str, happened_on: datetime, evidence: str
) -> None:
    """Register that a person died or left; all their cards end."""
    from kaguan.cms.services.departures import register_departure

    request.show(
        register_departure(
            request.actor,
            request.request_id,
            cert_type=cert_type,
            cert_no=cert_no,
            kind=DepartureKind(kind),
            happened_on=happened_on.date(),
            evidence=evidence,
        )
    )


@departure.command("revoke")
@click.argument("departure_id", type=click.UUID)
@changes
def departure_revoke(request: Request, departure_id: UUID) -> None:
    """Revoke departure DEPARTURE_ID, which was a mistake; somebody else does that."""
    from kaguan.cms.services.departures import revoke_departure

    request.show(revoke_departure(request.actor, request.request_id, departure_id=departure_id))


@click.group()
def temporary() -> None:
    """Temporary cards."""


@temporary.command("issue")
@click.argument("temporary_card_no")
@shows_document
@changes
def temporary_issue(request: Request, temporary_card_no: str, document: Document) -> None:
    """Lend temporary card TEMPORARY_CARD_NO to somebody whose card is on its way."""
    from kaguan.cms.services.temporary import issue_temporary_card

    result = issue_temporary_card(
        request.actor, request.request_id, temporary_card_no=temporary_card_no, document=document
    )
    request.show(result)


@temporary.command("extend")
@click.argument("temporary_card_no")
@changes
def temporary_extend(request: Request, temporary_card_no: str) -> None:
    """Let temporary card TEMPORARY_CARD_NO be valid for longer."""
    from kaguan.cms.services.temporary import extend_temporary_card

    request.show(extend_temporary_card(request.actor, request.request_id, temporary_card_no=temporary_card_no))


@temporary.command("return")
@click.argument("temporary_card_no")
@changes
def temporary_return(request: Request, temporary_card_no: str) -> None:
    """Take temporary card TEMPORARY_CARD_NO back."""
    from kaguan.cms.services.temporary import return_temporary_card

    request.show(return_temporary_card(request.actor, request.request_id, temporary_card_no=temporary_card_no))


ON_CARDS = (card_lock, card_unlock, card_seal, card_cancel)
ON_REPLACEMENTS = (replacement_exchange, replacement_renew)
ON_LOSS = (loss_bank,)
ON_PINS = (pin_void,)
GROUPS = (departure, temporary)
