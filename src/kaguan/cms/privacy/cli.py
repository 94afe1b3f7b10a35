"""`kaguan cms holder export`: a person's own data, handed out."""

from __future__ import annotations

from pathlib import Path

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


ON_HOLDERS = (holder_export,)
