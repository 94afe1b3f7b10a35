"""`kaguan cms holder export` and `holder purge`: a person's own data, handed out or destroyed."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import click

from kaguan.cms.asking.cli import Request, changes


@click.command("export")
@click.argument("holder_id", type=int)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--reason", required=True, help="Why it may be handed out.")
@changes
def holder_export(request: Request, holder_id: int, file: Path, reason: str) -> None:
    """Write everything about person HOLDER_ID to FILE as JSON, for its owner only; that it was done is audited."""
    from kaguan.cms.canonical import canonical
    from kaguan.cms.services.privacy import export_person, person_data
    from kaguan.durable import write_whole

    result = export_person(request.actor, request.request_id, holder_id=holder_id, reason=reason)
    write_whole(file, canonical(person_data(holder_id)) + b"\n", mode=0o600)
    request.show(result)


@click.group()
def purge() -> None:
    """Destroy what says who a person was: asked for by one at the authority, approved by another."""


@purge.command("ask")
@click.argument("holder_id", type=int)
@click.option("--reason", required=True, help="The law, or the person's own request.")
@changes
def purge_ask(request: Request, holder_id: int, reason: str) -> None:
    """Ask that the data of person HOLDER_ID be destroyed; refused while a card is open or money is left."""
    from kaguan.cms.services.privacy import ask_purge

    request.show(ask_purge(request.actor, request.request_id, holder_id=holder_id, reason=reason))


@purge.command("approve")
@click.argument("purge_id", type=click.UUID)
@changes
def purge_approve(request: Request, purge_id: UUID) -> None:
    """Carry out the purge PURGE_ID that a colleague asked for."""
    from kaguan.cms.services.privacy import approve_purge

    request.show(approve_purge(request.actor, request.request_id, purge_id=purge_id))


ON_HOLDERS = (holder_export, purge)
