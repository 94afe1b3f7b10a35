"""The emulator's door: `kaguan card`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import load_profile
from kaguan.emulator.imagefile import load_image, replace_image, save_image
from kaguan.emulator.imageview import describe, differences, lines
from kaguan.emulator.stock import blank_chip
from kaguan.personalization.specimen import specimen_card

CARD = click.argument("card", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def card() -> None:
    """Emulated cards: make, show, compare."""


@card.command()
@CARD
@click.option("--profile", default="ssc-v2", show_default=True, help="Card profile.")
@click.option("--blank", is_flag=True, help="A chip without files, as the factory delivers it.")
@click.option("--serial", default="200101000001", show_default=True, help="Chip serial number, 12 hex digits.")
@click.option("--force", is_flag=True, help="Replace a card that is there.")
def new(card: Path, profile: str, blank: bool, serial: str, force: bool) -> None:
    """Make a card: the profile's specimen with public test keys and PIN 123456, or a blank chip."""
    number = _serial(serial)
    chosen = load_profile(profile)
    store = replace_image if card.exists() else save_image
    if store is replace_image and not force:
        raise RuleBroken(f"{card} is there already: choose another name, or replace it with --force")
    store(card, blank_chip(chosen, number) if blank else specimen_card(chosen, serial=number).image)
    click.echo(f"{card}: {'blank chip' if blank else 'specimen card'} of profile {profile}")


def _serial(text: str) -> bytes:
    try:
        number = bytes.fromhex(text)
    except ValueError:
        number = b""
    if len(number) != 6:
        raise click.BadParameter("a chip's serial number is 12 hex digits", param_hint="--serial")
    return number


@card.command()
@CARD
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(card: Path, as_json: bool) -> None:
    """Show a card image: files with their fields decoded, PIN tries, wallet, keys by check value."""
    description = describe(load_image(card))
    if as_json:
        click.echo(json.dumps(description, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(description)))


@card.command()
@click.argument("before", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Show what differs between two card images; end with 1 when something does."""
    found = differences(load_image(before), load_image(after))
    if as_json:
        rows = [{"where": row.where, "before": row.before, "after": row.after} for row in found]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        for row in found:
            click.echo(f"{row.where}: {row.before} -> {row.after}")
    if found:
        raise SystemExit(1)
