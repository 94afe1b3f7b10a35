"""The doors `kaguan perso operator`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

import click

from kaguan.personalization.desk.asking.cli import by_two, new_passphrase, of_job, passphrase_files, two_people
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.operators import TwoPeople, add_operator, operators, person, remove_operator
from kaguan.personalization.line.places import Place

_NAME = click.argument("name")


@click.group()
def operator() -> None:
    """Who may take part in a dangerous step. From the third on it takes two operators to add or remove one."""


@operator.command()
@_NAME
@of_job
@by_two
def add(place: Place, name: str, names: Sequence[str], files: Sequence[str]) -> None:
    """Make NAME an operator, with a passphrase typed twice or from --operator-file."""
    with Bureau(place.address) as bureau:
        people = _people(bureau, names, files)
        passphrase = new_passphrase(name, passphrase_files(files).get(person(name)))
        done = add_operator(bureau, name, passphrase, people, random=secrets.token_bytes)
    click.echo(f"{name} is an operator now" if done else f"{name} is an operator already: nothing was changed")


@operator.command()
@_NAME
@of_job
@by_two
def remove(place: Place, name: str, names: Sequence[str], files: Sequence[str]) -> None:
    """Let NAME approve nothing any more."""
    with Bureau(place.address) as bureau:
        done = remove_operator(bureau, name, _people(bureau, names, files))
    click.echo(f"{name} is an operator no more" if done else f"{name} is no operator: nothing was changed")


@operator.command("list")
@of_job
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_operators(place: Place, as_json: bool) -> None:
    """Everybody who is or was an operator."""
    with Bureau(place.address) as bureau:
        found = operators(bureau)
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in found], ensure_ascii=False))
        return
    for entry in found:
        click.echo(entry.name if entry.removed_at is None else f"{entry.name} (removed)")


def _people(bureau: Bureau, names: Sequence[str], files: Sequence[str]) -> TwoPeople | None:
    return two_people(bureau, names, files) if names else None
