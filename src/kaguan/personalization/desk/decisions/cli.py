"""The doors `kaguan perso scrap`, `sample`, `remake`, `lost` and `dead`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from kaguan.personalization.desk.asking.cli import MACHINE, REASON, by_two, of_job, two_people
from kaguan.personalization.job.decisions import declare_lost, draw_sample, remake, scrap
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.line.dead import dead_list, remove_dead_images
from kaguan.personalization.line.places import Place, opened_records
from kaguan.personalization.station.process import CARDS
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE, passphrase_of

_WHICH = click.argument("which", metavar="ROW|CARD_NO")
_SERIAL = click.option(
    "--serial", default="", help="The card that is meant; needed when the row was made again before."
)
Step = Callable[..., bool]


@click.command("scrap")
@of_job
@click.option("--serial", "serials", multiple=True, help="A chip to destroy, by its answer to reset; else all.")
@REASON
@by_two
def scrap_door(place: Place, serials: Sequence[str], reason: str, names: Sequence[str], files: Sequence[str]) -> None:
    """Destroy the rejected chips, with a list of them on standard output."""
    with place.opened() as job:
        people = two_people(job.bureau, names, files)
        destroyed = scrap(job, people, reason, serials=serials or None)
    for serial in destroyed:
        click.echo(serial)
    click.echo(f"{len(destroyed)} chips are scrap now", err=True)


def _killing(name: str, step: Step, help_text: str, told: str) -> click.Command:
    """A door that takes a good card out of the world; no image of a dead one is left in the job's folder."""

    @click.command(name, help=help_text)
    @_WHICH
    @of_job
    @_SERIAL
    @REASON
    @by_two
    @KEYS
    @PASSPHRASE_FILE
    def door(
        place: Place, which: str, serial: str, reason: str, names: Sequence[str], files: Sequence[str],
        keys: StoreAddress | None, passphrase_file: Path | None,
    ) -> None:  # fmt: skip
        with place.opened() as job:
            people = two_people(job.bureau, names, files)
            with opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
                done = step(job, people, opened.row(which), reason, serial=serial)
                if place.folder is not None:
                    remove_dead_images(job, opened.records, place.folder / CARDS)
        click.echo(told if done else "it was done before: nothing was changed")

    return door


remake_door = _killing(
    "remake",
    remake,
    "Kill a good card and have its row made again, before others; or give a row without a card another chance.",
    "the row waits to be made again, before others; its old card is dead",
)
sample_door = _killing(
    "sample",
    draw_sample,
    "Draw a good card to be tested to destruction, and have its row made again.",
    "the card is a sample; its row waits to be made again, before others",
)


@click.command("lost")
@click.argument("chips", metavar="CHIPS", type=click.IntRange(0))
@of_job
@MACHINE
@REASON
@by_two
def lost_door(place: Place, chips: int, machine: str, reason: str, names: Sequence[str], files: Sequence[str]) -> None:
    """Declare that CHIPS blank chips of a machine's open shift are lost, in all; they count as scrap."""
    with place.opened() as job:
        people = two_people(job.bureau, names, files)
        done = declare_lost(job, people, machine, chips, reason)
    click.echo(f"{chips} chips are lost" if done else f"{chips} chips were declared lost before: nothing was changed")


@click.command("dead")
@of_job
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def dead_door(place: Place, as_json: bool) -> None:
    """Cards that were good once and must be refused wherever they turn up."""
    with place.opened() as job:
        found = dead_list(job)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for entry in found:
        click.echo(f"row {entry['row']}  {entry['atr']}  {entry['fate']}: {entry['reason']}")
