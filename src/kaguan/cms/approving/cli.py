"""`kaguan cms approval`: ask for what two people answer for, and decide what others asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from kaguan.cms.asking.cli import Request, changes, names_channel, shows_document, tells_met
from kaguan.cms.ending.cli import describes_new_card
from kaguan.cms.rules.demands import Met
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason
from kaguan.cms.rules.terms import Channel

if TYPE_CHECKING:
    from kaguan.cms.services.orders import NewCard

REASON = click.option("--reason", required=True, help="Why it should be done.")


@click.group()
def approval() -> None:
    """Steps that one person asks for and another one approves."""


@approval.command("correct")
@click.argument("holder", type=int)
@click.option("--name")
@click.option("--cert-type")
@click.option("--cert-no")
@REASON
@changes
def approval_correct(request: Request, holder: int, reason: str, **wanted: str | None) -> None:
    """Ask that name or document of person HOLDER be corrected."""
    from kaguan.cms.services.approvals.asking import ask_correction

    given = {name: text for name, text in wanted.items() if text is not None}
    request.show(ask_correction(request.actor, request.request_id, holder_id=holder, wanted=given, reason=reason))


@approval.command("merge")
@click.argument("merged", type=int)
@click.argument("survivor", type=int)
@REASON
@changes
def approval_merge(request: Request, **asked: Any) -> None:
    """Ask that person MERGED become one with person SURVIVOR, who keeps name and document."""
    from kaguan.cms.services.approvals.asking import ask_merge

    request.show(ask_merge(request.actor, request.request_id, **asked))


@approval.command("purge")
@click.argument("holder", type=int)
@REASON
@changes
def approval_purge(request: Request, holder: int, reason: str) -> None:
    """Ask that the data of person HOLDER go for good."""
    from kaguan.cms.services.approvals.asking import ask_purge

    request.show(ask_purge(request.actor, request.request_id, holder_id=holder, reason=reason))


@approval.command("release")
@click.argument("card_no")
@REASON
@shows_document
@names_channel
@changes
def approval_release(request: Request, card_no: str, reason: str, document: Document, channel: Channel | None) -> None:
    """Ask that the formally lost card CARD_NO, which was found, serve again."""
    from kaguan.cms.services.approvals.asking import ask_release

    asked = ask_release(
        request.actor, request.request_id, card_no=card_no, document=document, reason=reason, channel=channel
    )
    request.show(asked)


@approval.command("unlock")
@click.argument("card_no")
@REASON
@changes
def approval_unlock(request: Request, **asked: Any) -> None:
    """Ask that the locked card CARD_NO serve again."""
    from kaguan.cms.services.approvals.asking import ask_unlock

    request.show(ask_unlock(request.actor, request.request_id, **asked))


@approval.command("cancel")
@click.argument("card_no")
@click.option("--code", type=click.Choice([reason.name.lower() for reason in CancelReason]), required=True)
@REASON
@tells_met
@changes
def approval_cancel(request: Request, card_no: str, code: str, reason: str, met: list[Met]) -> None:
    """Ask that card CARD_NO end."""
    from kaguan.cms.services.approvals.asking import ask_cancellation

    why = CancelReason[code.upper()]
    request.show(ask_cancellation(request.actor, request.request_id, card_no=card_no, code=why, reason=reason, met=met))


@approval.command("new-card")
@describes_new_card
@click.option("--ending", type=click.Choice(["replace", "exchange", "renew"]), required=True)
@click.option("--code", type=click.Choice([code.value for code in ExchangeReason]), help="Of an exchange.")
@REASON
@changes
def approval_new_card(request: Request, card_no: str, new: NewCard, ending: str, code: str | None, reason: str) -> None:
    """Ask that card CARD_NO end and NEW_CARD_NO be made in its place."""
    from kaguan.cms.services.approvals.asking import ask_new_card
    from kaguan.cms.services.orders import Ending

    asked = {"card_no": card_no, "code": code or "", "reason": reason}
    request.show(ask_new_card(request.actor, request.request_id, ending=Ending(ending), new=new, **asked))


@approval.command("list")
@changes
def approval_list(request: Request) -> None:
    """Show what waits for the operator's decision."""
    from kaguan.cms.services.approvals.deciding import open_approvals

    for waiting in open_approvals(request.actor, request.request_id):
        request.show(waiting)


@approval.command("approve")
@click.argument("approval_id", type=click.UUID)
@changes
def approval_approve(request: Request, approval_id: UUID) -> None:
    """Do what APPROVAL_ID asks; whoever asked may not approve, nor whom it concerns."""
    from kaguan.cms.services.approvals.deciding import approve

    request.show(approve(request.actor, request.request_id, approval_id=approval_id))


@approval.command("reject")
@click.argument("approval_id", type=click.UUID)
@click.option("--why", required=True)
@changes
def approval_reject(request: Request, approval_id: UUID, why: str) -> None:
    """Leave undone for good what APPROVAL_ID asks."""
    from kaguan.cms.services.approvals.deciding import reject

    request.show(reject(request.actor, request.request_id, approval_id=approval_id, why=why))
