"""`kaguan cms request`: who may have a card, who applied, who checked, and what is ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import (
    DAY,
    Command,
    Look,
    Request,
    changes,
    existing_file,
    looks,
    names_channel,
    names_document,
    names_person,
    names_urgency,
    with_options,
)
from kaguan.cms.rules.applying import Agent, AgentRelation, ApplicationWay, Presence, RequestKind
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.production import CheckFailure
from kaguan.cms.rules.terms import Channel

KIND_NAMES = {kind.name.lower(): kind for kind in RequestKind}


def names_agent(command: Command) -> Command:
    """Give a command the options for whoever comes for the holder, and call it with an Agent, or None."""

    @wraps(command)
    def bring(
        *,
        agent_name: str,
        agent_cert_type: str,
        agent_cert_no: str,
        agent_relation: str,
        agent_original: bool,
        **values: Any,
    ) -> None:
        agent = None
        if agent_name:
            if not agent_cert_no or not agent_relation:
                raise click.UsageError("an agent needs --agent-cert-no and --agent-relation too")
            shown = Document(agent_cert_type, agent_cert_no, agent_original)
            agent = Agent(agent_name, shown, AgentRelation[agent_relation.upper().replace("-", "_")])
        command(agent=agent, **values)

    relations = [relation.name.lower().replace("_", "-") for relation in AgentRelation]
    return with_options(
        cast("Command", bring),
        click.option("--agent-name", default="", help="Who comes for the holder, as proxy or guardian."),
        click.option("--agent-cert-type", default="01", show_default=True),
        click.option("--agent-cert-no", default=""),
        click.option("--agent-relation", type=click.Choice(relations), default=None),
        click.option("--agent-original/--agent-copy", default=False, help="What the agent showed."),
    )


def _wishes(command: Callable[..., None]) -> Callable[..., None]:
    return with_options(
        command,
        click.option("--kind", type=click.Choice(list(KIND_NAMES)), default="new", show_default=True),
        click.option("--bank-code", required=True),
        click.option("--outlet", default="", help="Where the card is to be collected."),
        click.option("--reason", default="", help="Code of the reason for another card: 3 for a lost one."),
    )


@click.group("request")
def card_request() -> None:
    """Requests for cards, from the wish to the order."""


@card_request.command("may")
@names_person
@click.option("--kind", type=click.Choice(list(KIND_NAMES)), default="new", show_default=True)
@changes
def request_may(request: Request, cert_type: str, cert_no: str, name: str, kind: str) -> None:
    """Show whether the person may apply for a card of that kind: 0, or the code that says why not."""
    from kaguan.cms.services.requests import Applicant, may_have_card

    applicant = Applicant(cert_type, cert_no, name)
    request.show(may_have_card(request.actor, request.request_id, applicant=applicant, kind=KIND_NAMES[kind]))


@card_request.command("make")
@names_person
@_wishes
@click.option("--way", type=click.Choice([way.value for way in ApplicationWay]), default="person", show_default=True)
@click.option("--original/--copy", default=False, help="What the person showed.")
@click.option("--verdict", type=click.Choice([verdict.value for verdict in Verdict]), default=None)
@names_channel
@names_agent
@changes
def request_make(
    request: Request,
    cert_type: str,
    cert_no: str,
    name: str,
    kind: str,
    bank_code: str,
    outlet: str,
    reason: str,
    way: str,
    original: bool,
    verdict: str | None,
    agent: Agent | None,
    channel: Channel | None,
) -> None:
    """Apply for a card; the request waits for somebody else to check it."""
    from kaguan.cms.services.requests import Applicant, Wish, apply

    presence = Presence(
        ApplicationWay(way),
        document=Document(cert_type, cert_no, original),
        agent=agent,
        verdict=Verdict(verdict) if verdict else None,
        channel=channel,
    )
    request.show(
        apply(
            request.actor,
            request.request_id,
            applicant=Applicant(cert_type, cert_no, name),
            wish=Wish(KIND_NAMES[kind], bank_code, outlet, reason),
            presence=presence,
        )
    )


@card_request.command("unit")
@click.argument("unit_no")
@click.argument("sheet", type=existing_file)
@click.option("--bank-code", required=True)
@click.option("--outlet", default="", help="Where the cards are to be collected.")
@changes
def request_unit(request: Request, unit_no: str, sheet: Path, bank_code: str, outlet: str) -> None:
    """Apply for everybody in SHEET (CSV: cert_type, cert_no, name), whom unit UNIT_NO employs."""
    from kaguan.cms.request_rows import read_applicants
    from kaguan.cms.services.requests import Wish, apply_for_unit

    request.show(
        apply_for_unit(
            request.actor,
            request.request_id,
            applicants=read_applicants(sheet),
            wish=Wish(RequestKind.NEW, bank_code, outlet),
            presence=Presence(ApplicationWay.UNIT, unit_no=unit_no),
        )
    )


@card_request.command("check")
@click.argument("card_request_id", type=click.UUID)
@click.option("--failure", type=click.Choice([code.value for code in CheckFailure]), default=None)
@changes
def request_check(request: Request, card_request_id: UUID, failure: str | None) -> None:
    """Let request CARD_REQUEST_ID pass its check, or fail it with a code."""
    from kaguan.cms.services.requests import check_request

    why = CheckFailure(failure) if failure else None
    request.show(check_request(request.actor, request.request_id, card_request_id=card_request_id, failure=why))


@card_request.command("correct")
@click.argument("card_request_id", type=click.UUID)
@changes
def request_correct(request: Request, card_request_id: UUID) -> None:
    """Send request CARD_REQUEST_ID to its check again."""
    from kaguan.cms.services.requests import correct_request

    request.show(correct_request(request.actor, request.request_id, card_request_id=card_request_id))


@card_request.command("withdraw")
@click.argument("card_request_id", type=click.UUID)
@changes
def request_withdraw(request: Request, card_request_id: UUID) -> None:
    """Withdraw request CARD_REQUEST_ID, as long as nothing is ordered."""
    from kaguan.cms.services.requests import withdraw_request

    request.show(withdraw_request(request.actor, request.request_id, card_request_id=card_request_id))


@card_request.command("sheet")
@click.argument("sheet", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--first", required=True, help="Where numbers begin: eight characters, as in B0000001.")
@click.option("--issue-date", type=DAY, help="Today if not given.")
@click.option("--valid-until", type=DAY, help="As long as the region allows if not given.")
@changes
def request_sheet(
    request: Request, sheet: Path, first: str, issue_date: datetime | None, valid_until: datetime | None
) -> None:
    """Write SHEET for `request order`: a free card number for every checked request. Bank card numbers come by hand."""
    from kaguan.cms.request_rows import write_request_rows
    from kaguan.cms.services.order_file import propose_cards

    days = {"issue_date": issue_date and issue_date.date(), "valid_until": valid_until and valid_until.date()}
    rows = propose_cards(request.actor, request.request_id, first=first, **days)
    if not rows:
        raise InputError("no request waits to be ordered: have them checked first")
    write_request_rows(sheet, rows)
    for row in rows:
        click.echo(f"{row.card_request_id}  {row.card_no}")


@card_request.command("order")
@click.argument("order_no")
@click.argument("sheet", type=existing_file)
@names_urgency
@changes
def request_order(request: Request, order_no: str, sheet: Path, urgency: Urgency) -> None:
    """Order the cards of SHEET (CSV: card_request_id, card_no, issue_date, valid_until, bank_card_no) as ORDER_NO."""
    from kaguan.cms.request_rows import read_request_rows
    from kaguan.cms.services.production import order_requests

    rows = read_request_rows(sheet)
    request.show(order_requests(request.actor, request.request_id, order_no=order_no, rows=rows, urgency=urgency))


@card_request.command("mark-instant")
@click.argument("card_request_id", type=click.UUID)
@changes
def request_mark_instant(request: Request, card_request_id: UUID) -> None:
    """Have the card of request CARD_REQUEST_ID made here, while its holder waits."""
    from kaguan.cms.services.instant import mark_instant

    request.show(mark_instant(request.actor, request.request_id, card_request_id=card_request_id))


@card_request.command("unmark-instant")
@click.argument("card_request_id", type=click.UUID)
@changes
def request_unmark_instant(request: Request, card_request_id: UUID) -> None:
    """Leave the card of request CARD_REQUEST_ID to the bureau after all."""
    from kaguan.cms.services.instant import unmark_instant

    request.show(unmark_instant(request.actor, request.request_id, card_request_id=card_request_id))


@card_request.command("instant")
@looks
def request_instant(look: Look) -> None:
    """Show who waits here for a card that is made at once, longest first."""
    from kaguan.cms.services.instant import instant_requests

    look.show([asdict(person) for person in instant_requests(look.actor, look.request_id)])


@card_request.command("list")
@looks
def request_list(look: Look) -> None:
    """Show every request that is not ordered yet."""
    from kaguan.cms.services.browsing import list_requests

    look.show(list_requests(look.actor, look.request_id))


@click.command("progress")
@names_document
@looks
def holder_progress(look: Look, cert_type: str, cert_no: str) -> None:
    """Show how far a person's card is, as the person is told."""
    from kaguan.cms.services.browsing import show_progress

    look.show(show_progress(look.actor, look.request_id, cert_type=cert_type, cert_no=cert_no))


ON_HOLDERS = (holder_progress,)
GROUPS = (card_request,)
