"""`kaguan cms blacklist`: the cards that terminals refuse offline, pushed to each of them and taken there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click

from kaguan.cms.asking.cli import Look, Request, changes, existing_file, looks
from kaguan.durable import write_whole

new_file = click.Path(dir_okay=False, path_type=Path)


@click.group()
def blacklist() -> None:
    """Lost, locked and ended cards that terminals refuse without asking."""


@blacklist.command("push")
@click.argument("terminal_no")
@click.option("--key", "key_file", type=existing_file, required=True, help="The authority's key that signs lists.")
@click.option("--out", "list_file", type=new_file, required=True, help="File for the signed list.")
@click.option("--whole", is_flag=True, help="Everything, and not what changed since the last list.")
@click.option("--at", "place", default="", help="Where the terminal stands, when it is not on the books yet.")
@changes
def blacklist_push(
    request: Request, terminal_no: str, key_file: Path, list_file: Path, place: str, *, whole: bool
) -> None:
    """Write the list for terminal TERMINAL_NO, signed; `cms audit key` makes a key."""
    from kaguan.cms.services.chip.blacklist import blacklist_of, push_blacklist
    from kaguan.cms.signing import read_key

    key = read_key(key_file)
    pushed = push_blacklist(
        request.actor, request.request_id, terminal_no=terminal_no.upper(), whole=whole, institution=place
    )
    write_whole(list_file, blacklist_of(UUID(pushed.push_id)).signed(key))
    request.show(pushed)


@blacklist.command("take")
@click.argument("terminal_no")
@click.argument("list_file", type=existing_file)
@click.option("--public-key", type=existing_file, required=True, help="Whose lists the terminal believes.")
@click.option("--terminal-file", type=new_file, required=True, help="What the terminal remembers.")
def blacklist_take(terminal_no: str, list_file: Path, public_key: Path, terminal_file: Path) -> None:
    """Let the emulated terminal TERMINAL_NO take LIST_FILE; a forged or old one is refused."""
    from kaguan.cms.signing import read_public_key
    from kaguan.terminal.blacklist import TerminalBlacklist

    try:
        number = bytes.fromhex(terminal_no)
    except ValueError:
        raise click.BadParameter("a terminal's number is 12 hex digits", param_hint="TERMINAL_NO") from None
    terminal = TerminalBlacklist(number, read_public_key(public_key), terminal_file)
    sequence = terminal.take(list_file.read_bytes(), datetime.now(UTC))
    click.echo(f"terminal {terminal_no.upper()} has list {sequence}: {len(terminal.cards)} cards are refused")


@blacklist.command("show")
@click.option("--region", required=True, help="The region's six digits.")
@click.option("--terminals", is_flag=True, help="What each terminal was given last, and not the cards.")
@looks
def blacklist_show(look: Look, region: str, *, terminals: bool) -> None:
    """Show which cards of a region are listed, or which list its terminals have."""
    from kaguan.cms.services.casework import look_at_blacklist, look_at_pushed_lists

    look_at = look_at_pushed_lists if terminals else look_at_blacklist
    look.show([asdict(row) for row in look_at(look.actor, look.request_id, region=region)])
