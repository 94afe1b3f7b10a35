"""`kaguan cms`: the back office at the command line.

Django is loaded inside the commands, after the database is known, so that `kaguan --help` stays quick.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.access.cli import access
from kaguan.cms.activating.cli import activation
from kaguan.cms.applying import cli as applying
from kaguan.cms.applying.cli import names_agent
from kaguan.cms.approving.cli import approval
from kaguan.cms.asking.cli import (
    Look,
    Question,
    Request,
    asks,
    changes,
    existing_file,
    looks,
    names_channel,
    names_urgency,
    require_text,
    shows_document,
    shows_papers,
)
from kaguan.cms.auditing.cli import audit
from kaguan.cms.blacklisting.cli import blacklist
from kaguan.cms.certifying.cli import certificate
from kaguan.cms.charging import cli as charging
from kaguan.cms.counter import cli as counter
from kaguan.cms.employing.cli import institution, operator
from kaguan.cms.ending import cli as ending
from kaguan.cms.keeping import cli as keeping
from kaguan.cms.notifying.cli import outbox
from kaguan.cms.people.cli import person
from kaguan.cms.privacy import cli as privacy
from kaguan.cms.regions.cli import region
from kaguan.cms.reporting.cli import misuse
from kaguan.cms.rules.applying import EXCHANGE_REASON_OF, Agent
from kaguan.cms.rules.care import CARE
from kaguan.cms.rules.choices import Paper
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.regions import RegionRules, read_region
from kaguan.cms.rules.terms import Channel
from kaguan.cms.safekeeping import cli as safekeeping
from kaguan.cms.serving.cli import serve
from kaguan.cms.settling.cli import case_
from kaguan.cms.store import open_store
from kaguan.cms.ticking import cli as ticking
from kaguan.database import told_plainly


@click.group()
def cms() -> None:
    """Card management: cards, holders, stock, loss, accounts, audit."""


@cms.command()
@click.argument("database")
@click.option("--region", "region_code", default="990100", show_default=True, help="The region's six digits.")
@click.option("--settings", "settings_file", type=existing_file, help="JSON file with the region's settings.")
@click.option("--authority", default="SSB", show_default=True, help="Code of the authority.")
@click.option("--administrator", default="admin", show_default=True, help="Code of the first administrator.")
def init(database: str, region_code: str, settings_file: Path | None, authority: str, administrator: str) -> None:
    """Make DATABASE (a file, or the URL of an empty one on a server), with region, authority, first administrator."""
    rules: RegionRules | None = None
    if settings_file:
        try:
            rules = read_region(json.loads(settings_file.read_text(encoding="utf-8")))
        except ValueError as error:
            raise InputError(f"{settings_file.name} is no JSON: {error}") from error
    require_text({"region": region_code, "authority": authority, "administrator": administrator})
    open_store(database)
    from kaguan.cms.services.set_up import found

    with told_plainly(database):
        found(uuid4(), region_code=region_code, region=rules, authority=authority, administrator=administrator)
    click.echo(f"{database}: founded; {administrator} at {authority} sets it up")


@cms.group()
def order() -> None:
    """Orders of cards."""


@order.command("record")
@click.argument("order_zip", type=existing_file)
@names_urgency
@changes
def order_record(request: Request, order_zip: Path, urgency: Urgency) -> None:
    """Put the factory order ORDER_ZIP on the books."""
    from kaguan.cms.order_rows import read_order_rows
    from kaguan.cms.services.orders import order_cards

    order_no, rows = read_order_rows(order_zip)
    request.show(order_cards(request.actor, request.request_id, order_no=order_no, rows=rows, urgency=urgency))


@order.command("write")
@click.argument("order_no")
@click.argument("order_zip", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--vendor", required=True, help="The bureau's code, as its orders are named.")
@click.option("--company", default="", help="Name of the employer that the cards are for.")
@changes
def order_write(request: Request, order_no: str, order_zip: Path, vendor: str, company: str) -> None:
    """Write order ORDER_NO to ORDER_ZIP, as the bureau takes it: people's data, for its owner only."""
    from kaguan.cms.services.order_file import content_of_order
    from kaguan.durable import whole_file
    from kaguan.personalization.order.writing import write_order

    content = content_of_order(request.actor, request.request_id, order_no=order_no, vendor=vendor, company=company)
    with whole_file(order_zip, mode=0o600) as stream:
        write_order(stream, content.name, [content.task])
    click.echo(f"{order_zip}: {content.name.file_name}, {content.card_count} cards")


@cms.group()
def stock() -> None:
    """Cards in custody."""


@stock.command("receive")
@click.argument("return_file", type=existing_file)
@click.option("--outlet", default="", help="Who keeps the cards, if not the operator's own institution.")
@changes
def stock_receive(request: Request, return_file: Path, outlet: str) -> None:
    """Take the cards of the bureau's good RETURN_FILE into stock."""
    from kaguan.cms.services.stock import receive_stock
    from kaguan.personalization.order.returnfile import read_return

    with return_file.open("rb") as stream:
        rows = list(read_return(stream, file=return_file.name))
    request.show(receive_stock(request.actor, request.request_id, rows=rows, outlet=outlet))


@cms.group()
def card() -> None:
    """Cards and their lives."""


@card.command("show")
@click.argument("card_no")
@looks
def card_show(look: Look, card_no: str) -> None:
    """Show where card CARD_NO stands."""
    from kaguan.cms.services.browsing import show_card

    look.show(show_card(look.actor, look.request_id, card_no=card_no))


@card.command("events")
@click.argument("card_no")
@looks
def card_events_(look: Look, card_no: str) -> None:
    """Show every step in the life of card CARD_NO."""
    from kaguan.cms.services.browsing import show_life

    look.show(show_life(look.actor, look.request_id, card_no=card_no))


@card.command("care")
def card_care() -> None:
    """Show how a holder keeps a card well, and which exchange follows when it was not."""
    for one in CARE:
        reason = EXCHANGE_REASON_OF[one.prevents]
        click.echo(f"{one.rule}, or: {one.prevents} (exchange reason {reason} {reason.name})")


@card.command("hand-over")
@click.argument("card_no")
@click.option("--verdict", type=click.Choice([verdict.value for verdict in Verdict]), required=True)
@click.option("--found", is_flag=True, help="The card was found and taken in; its holder gets it back.")
@shows_document
@names_agent
@changes
def card_hand_over(
    request: Request, card_no: str, verdict: str, document: Document, agent: Agent | None, *, found: bool
) -> None:
    """Hand card CARD_NO to its holder, or to a minor's guardian, after comparing the person with the document."""
    from kaguan.cms.services.issue import give_back, hand_over

    deliver = give_back if found else hand_over
    result = deliver(
        request.actor,
        request.request_id,
        card_no=card_no,
        document=document,
        verdict=Verdict(verdict),
        guardian=agent,
    )
    request.show(result)


@cms.group()
def loss() -> None:
    """Lost cards."""


@loss.command("temporary")
@click.argument("card_no")
@names_channel
@changes
def loss_temporary(request: Request, card_no: str, channel: Channel | None) -> None:
    """Report card CARD_NO lost for the time being."""
    from kaguan.cms.services.loss import report_temporary_loss

    request.show(report_temporary_loss(request.actor, request.request_id, card_no=card_no, channel=channel))


@loss.command("formal")
@click.argument("card_no")
@shows_document
@shows_papers
@names_channel
@changes
def loss_formal(
    request: Request,
    card_no: str,
    document: Document,
    papers: tuple[Paper, ...],
    channel: Channel | None,
) -> None:
    """Report card CARD_NO formally lost."""
    from kaguan.cms.services.loss import report_formal_loss

    shown: dict[str, Any] = {"document": document, "papers": papers, "channel": channel}
    request.show(report_formal_loss(request.actor, request.request_id, card_no=card_no, **shown))


@loss.command("release")
@click.argument("card_no")
@shows_document
@names_channel
@changes
def loss_release(request: Request, card_no: str, document: Document, channel: Channel | None) -> None:
    """Give the found card CARD_NO back to use."""
    from kaguan.cms.services.loss import release_loss

    request.show(release_loss(request.actor, request.request_id, card_no=card_no, document=document, channel=channel))


@cms.group()
def holder() -> None:
    """People who have cards."""


@holder.command("show")
@click.argument("number")
@looks
def holder_show(look: Look, number: str) -> None:
    """Show the person with this NUMBER in the books or on the identity document."""
    from kaguan.cms.services.browsing import show_holder

    look.show(show_holder(look.actor, look.request_id, number=number))


@cms.group()
def account() -> None:
    """Accounts of the books."""


@account.command("show")
@click.argument("code")
@looks
def account_show(look: Look, code: str) -> None:
    """Show the account CODE, such as PA:1 or PURSE:A000F9XV3, with its newest entries."""
    from kaguan.cms.services.browsing import show_account

    look.show(show_account(look.actor, look.request_id, code=code))


@cms.group()
def ledger() -> None:
    """The books as a whole."""


@ledger.command("verify")
@asks
def ledger_verify(question: Question) -> None:
    """Replay all entries and compare every balance."""
    from kaguan.cms.ledger.proof import verify_books

    question.show(verify_books()._asdict())


@ledger.command("open")
@looks
def ledger_open(look: Look) -> None:
    """Show every load and purchase that is neither confirmed nor cancelled."""
    from kaguan.cms.services.browsing import list_transfers

    look.show(list_transfers(look.actor, look.request_id))


for group, commands in (
    (card, (*counter.ON_CARDS, *ending.ON_CARDS)),
    (order, charging.ON_ORDERS),
    (stock, keeping.ON_STOCK),
    (holder, (*applying.ON_HOLDERS, *privacy.ON_HOLDERS)),
    (loss, ending.ON_LOSS),
    (counter.pin, ending.ON_PINS),
    (counter.replacement, ending.ON_REPLACEMENTS),
    (cms, (region, person, approval, access, activation, certificate, outbox, serve, audit, *safekeeping.COMMANDS)),
    (cms, (institution, operator, case_, blacklist, misuse)),
    (cms, (*counter.GROUPS, *applying.GROUPS, *keeping.GROUPS, *ending.GROUPS, *charging.GROUPS, *ticking.COMMANDS)),
):
    for command in commands:
        group.add_command(command)
