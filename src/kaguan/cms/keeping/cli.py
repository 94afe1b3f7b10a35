"""The commands of stock and production."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.cms.asking.cli import Request, changes, existing_file
from kaguan.cms.rules.production import Report, ScrapReason, UndeliverableReason


@click.command("place")
@click.argument("card_no")
@click.argument("cabinet")
@click.argument("position")
@changes
def stock_place(request: Request, card_no: str, cabinet: str, position: str) -> None:
    """Put card CARD_NO into POSITION of CABINET."""
    from kaguan.cms.services.custody import place_card

    request.show(place_card(request.actor, request.request_id, card_no=card_no, cabinet=cabinet, position=position))


@click.command("offer")
@click.argument("card_nos", metavar="CARD_NO...", nargs=-1, required=True)
@click.option("--to", "taker", required=True, help="Code of the operator who is to take them.")
@changes
def stock_offer(request: Request, card_nos: tuple[str, ...], taker: str) -> None:
    """Hand cards over to another operator, who has to take them."""
    from kaguan.cms.services.custody import offer_cards

    request.show(offer_cards(request.actor, request.request_id, card_nos=card_nos, taker=taker))


@click.command("take")
@click.argument("card_nos", metavar="CARD_NO...", nargs=-1, required=True)
@changes
def stock_take(request: Request, card_nos: tuple[str, ...]) -> None:
    """Take cards that another operator hands over."""
    from kaguan.cms.services.custody import take_cards

    request.show(take_cards(request.actor, request.request_id, card_nos=card_nos))


@click.command("refuse")
@click.argument("card_nos", metavar="CARD_NO...", nargs=-1, required=True)
@changes
def stock_refuse(request: Request, card_nos: tuple[str, ...]) -> None:
    """Leave cards that are on offer with who offers them."""
    from kaguan.cms.services.custody import refuse_cards

    request.show(refuse_cards(request.actor, request.request_id, card_nos=card_nos))


@click.command("return")
@click.argument("card_nos", metavar="CARD_NO...", nargs=-1, required=True)
@click.option("--reason", type=click.Choice([code.value for code in UndeliverableReason]), required=True)
@click.option("--to", "taker", required=True, help="Code of the operator elsewhere who is to take them.")
@changes
def stock_return(request: Request, card_nos: tuple[str, ...], reason: str, taker: str) -> None:
    """Send back cards that cannot be handed over here."""
    from kaguan.cms.services.custody import return_stock

    why = UndeliverableReason(reason)
    request.show(return_stock(request.actor, request.request_id, card_nos=card_nos, reason=why, taker=taker))


@click.command("recover")
@click.argument("card_no")
@changes
def stock_recover(request: Request, card_no: str) -> None:
    """Take card CARD_NO back from its holder, or out of stock."""
    from kaguan.cms.services.custody import recover_card

    request.show(recover_card(request.actor, request.request_id, card_no=card_no))


@click.command("scrap")
@click.argument("card_no")
@click.option("--reason", type=click.Choice([code.value for code in ScrapReason]), required=True)
@changes
def stock_scrap(request: Request, card_no: str, reason: str) -> None:
    """Destroy the cancelled card CARD_NO, which somebody else brought in."""
    from kaguan.cms.services.custody import scrap_card

    request.show(scrap_card(request.actor, request.request_id, card_no=card_no, reason=ScrapReason(reason)))


@click.group()
def production() -> None:
    """Cards on their way to the outlet."""


@production.command("report")
@click.argument("report", type=click.Choice([report.value for report in Report]))
@click.argument("card_nos", metavar="CARD_NO...", nargs=-1, required=True)
@click.option("--why", default="", help="Why they failed; at most 50 bytes.")
@changes
def production_report(request: Request, report: str, card_nos: tuple[str, ...], why: str) -> None:
    """Tell how far cards are, or that they failed there."""
    from kaguan.cms.services.production import report_stage

    result = report_stage(request.actor, request.request_id, card_nos=card_nos, report=Report(report), why=why)
    request.show(result)


@production.command("return")
@click.argument("return_file", type=existing_file)
@changes
def production_return(request: Request, return_file: Path) -> None:
    """Take the bureau's good RETURN_FILE in; its cards are on their way to an outlet."""
    from kaguan.cms.services.production import take_return
    from kaguan.personalization.order.returnfile import read_return

    with return_file.open("rb") as stream:
        rows = list(read_return(stream, file=return_file.name))
    request.show(take_return(request.actor, request.request_id, rows=rows))


ON_STOCK = (stock_place, stock_offer, stock_take, stock_refuse, stock_return, stock_recover, stock_scrap)
GROUPS = (production,)
