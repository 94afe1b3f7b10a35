"""`kaguan cms misuse`: cards that somebody else was seen to use."""

from __future__ import annotations

from dataclasses import asdict

import click

from kaguan.cms.asking.cli import Look, Request, changes, looks


@click.group()
def misuse() -> None:
    """Cards in other people's hands: they are neither rented nor lent."""


@misuse.command("report")
@click.argument("card_no")
@click.option("--what", required=True, help="Who had the card, and what it was used for.")
@changes
def misuse_report(request: Request, card_no: str, what: str) -> None:
    """Report that somebody else had CARD_NO; `card lock --reason 1` is what the authority may answer with."""
    from kaguan.cms.services.misuse import report_misuse

    request.show(report_misuse(request.actor, request.request_id, card_no=card_no, what=what))


@misuse.command("list")
@click.option("--card-no", default="", help="About this card alone.")
@looks
def misuse_list(look: Look, card_no: str) -> None:
    """Show the reports about cards in reach, newest first."""
    from kaguan.cms.services.misuse import misuse_reports

    look.show([asdict(report) for report in misuse_reports(look.actor, look.request_id, card_no=card_no)])
