"""The commands that stop a card, end it, or order another one in its place; PINs, departures, temporary cards."""

from __future__ import annotations

from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import click

from kaguan.cms.asking.cli import (
    DAY,
    Command,
    Request,
    changes,
    names_channel,
    names_document,
    names_urgency,
    shows_document,
    shows_papers,
    tells_met,
    with_options,
)
from kaguan.cms.counter.cli import AtCounter, at_counter, pins_typed, takes_pin
from kaguan.cms.rules.choices import CardFunction, Paper
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.departures import DepartureKind
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason, LockReason
from kaguan.cms.rules.terms import Channel

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
@tells_met
@changes
def card_cancel(request: Request, card_no: str, reason: str, met: list[Met]) -> None:
    """End card CARD_NO for good, when all is there that the region demands."""
    from kaguan.cms.services.lock import cancel

    request.show(cancel(request.actor, request.request_id, card_no=card_no, reason=CancelReason(reason), met=met))


def describes_new_card(command: Command) -> Command:
    """Give a command the options of the card that takes another one's place, and call it with a NewCard as `new`."""

    @wraps(command)
    def describe(
        *,
        new_card_no: str,
        order_no: str,
        issue_date: datetime,
        valid_until: datetime,
        bank_card_no: str,
        urgency: Urgency,
        channel: Channel | None,
        bank_code: str = "",
        **values: Any,
    ) -> None:
        from kaguan.cms.services.orders import NewCard

        days = issue_date.date(), valid_until.date()
        command(new=NewCard(new_card_no, order_no, *days, bank_card_no, bank_code, urgency, channel), **values)

    return with_options(
        names_urgency(names_channel(cast("Command", describe))),
        click.argument("card_no"),
        click.argument("new_card_no"),
        click.option("--order-no", required=True),
        click.option("--issue-date", type=DAY, required=True),
        click.option("--valid-until", type=DAY, required=True),
        click.option("--bank-card-no", default=""),
    )


changes_bank = click.option("--bank-code", default="", help="The new bank, when the bank changes.")


@click.command("order")
@describes_new_card
@changes
def replacement_order(request: Request, card_no: str, new: NewCard) -> None:
    """Cancel the lost card CARD_NO and order NEW_CARD_NO in its place."""
    from kaguan.cms.services.orders import order_replacement

    request.show(order_replacement(request.actor, request.request_id, card_no=card_no, new=new))


@click.command("exchange")
@describes_new_card
@changes_bank
@click.option("--reason", type=click.Choice([code.value for code in ExchangeReason]), required=True)
@changes
def replacement_exchange(request: Request, card_no: str, new: NewCard, reason: str) -> None:
    """Cancel the damaged or outdated card CARD_NO and order NEW_CARD_NO in its place."""
    from kaguan.cms.services.orders import order_exchange

    why = ExchangeReason(reason)
    request.show(order_exchange(request.actor, request.request_id, card_no=card_no, reason=why, new=new))


@click.command("renew")
@describes_new_card
@changes_bank
@changes
def replacement_renew(request: Request, card_no: str, new: NewCard) -> None:
    """Cancel card CARD_NO, whose validity ends, and order NEW_CARD_NO in its place."""
    from kaguan.cms.services.orders import order_renewal

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
@names_document
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


@temporary.command("use")
@click.argument("temporary_card_no")
@click.option("--for", "function", type=click.Choice([one.value for one in CardFunction]), required=True)
@changes
def temporary_use(request: Request, temporary_card_no: str, function: str) -> None:
    """Tell whose temporary card TEMPORARY_CARD_NO is, when it serves for this here."""
    from kaguan.cms.services.temporary import use_temporary_card

    serves = CardFunction(function)
    request.show(
        use_temporary_card(request.actor, request.request_id, temporary_card_no=temporary_card_no, function=serves)
    )


@click.command("lock-chip")
@click.option("--reason", type=click.Choice([code.value for code in LockReason]), required=True)
@at_counter
def card_lock_chip(at: AtCounter, reason: str) -> None:
    """Lock the card in the reader, in the books and on its chip."""
    at.request.show(at.outlet.lock_card(at.link, at.request.request_id, LockReason(reason)))


@click.command("unlock-chip")
@at_counter
def card_unlock_chip(at: AtCounter) -> None:
    """Let chip and card in the reader serve again."""
    at.request.show(at.outlet.unlock_card(at.link, at.request.request_id))


@click.command("unblock")
@takes_pin
@shows_document
@shows_papers
@names_channel
@at_counter
def pin_unblock(
    at: AtCounter,
    pin_file: Path | None,
    document: Document,
    papers: tuple[Paper, ...],
    channel: Channel | None,
) -> None:
    """Give the card a new PIN and all its tries."""
    (new,) = pins_typed(pin_file, "new PIN")
    at.request.show(
        at.outlet.unblock_pin(at.link, at.request.request_id, document, new, papers=papers, channel=channel)
    )


@click.command("restore")
@shows_document
@shows_papers
@names_channel
@at_counter
def pin_restore(at: AtCounter, document: Document, papers: tuple[Paper, ...], channel: Channel | None) -> None:
    """Give the card with the blocked PIN all its tries, and leave the PIN as it is."""
    at.request.show(at.outlet.restore_pin(at.link, at.request.request_id, document, papers=papers, channel=channel))


@click.command("unreadable")
@click.argument("card_no")
@click.option("--why", required=True, help="What was tried, and how the card is damaged.")
@changes
def replacement_unreadable(request: Request, card_no: str, why: str) -> None:
    """Register that no reader reads the ended card CARD_NO: its purse waits for the region's days."""
    from kaguan.cms.services.chip.unreadable import register_unreadable

    request.show(register_unreadable(request.actor, request.request_id, card_no=card_no, why=why))


ON_CARDS = (card_lock, card_unlock, card_lock_chip, card_unlock_chip, card_seal, card_cancel)
ON_REPLACEMENTS = (replacement_order, replacement_exchange, replacement_renew, replacement_unreadable)
ON_LOSS = (loss_bank,)
ON_PINS = (pin_restore, pin_unblock, pin_void)
GROUPS = (departure, temporary)
