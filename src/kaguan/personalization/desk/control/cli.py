"""The doors `kaguan perso pause`, `resume`, `drain`, `priority`, `jobs` and `instant`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kaguan.personalization.desk.asking.cli import MACHINE, OPERATOR, SEAL_FOR, of_job
from kaguan.personalization.job.control import MOST_PRIORITY, jobs, set_priority, steer
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.line.places import Place, opened_records, row_number
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE, passphrase_of

if TYPE_CHECKING:
    from kaguan.personalization.care.envelope import Recipient


def _steering(name: str, state: JobState, help_text: str) -> click.Command:
    @click.command(name, help=help_text)
    @of_job
    @OPERATOR
    def door(place: Place, by: str) -> None:
        with place.opened() as job:
            done = steer(job, state, by)
        click.echo(f"the job is {state}" if done else f"the job was {state} before")

    return door


pause = _steering("pause", JobState.PAUSED, "Let stations wait, each with its card finished.")
resume = _steering("resume", JobState.OPEN, "Let stations go on.")
drain = _steering("drain", JobState.DRAINING, "Let stations end, each with its card finished, and the run with them.")


@click.command()
@click.argument("which", metavar="ROW|CARD_NO")
@of_job
@click.option("--level", default=10, show_default=True, type=click.IntRange(-MOST_PRIORITY, MOST_PRIORITY))
@OPERATOR
@KEYS
@PASSPHRASE_FILE
def priority(
    place: Place, which: str, level: int, by: str, keys: StoreAddress | None, passphrase_file: Path | None
) -> None:
    """Let a waiting row come before others, or after them with a level below 0."""
    row = row_number(which)
    with place.opened() as job:
        if row is None:
            with opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
                row = opened.row(which)
        set_priority(job, row, level, by)
    click.echo(f"row {row} has priority {level}")


@click.command("jobs")
@of_job
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def jobs_door(place: Place, as_json: bool) -> None:
    """The jobs of a database."""
    with Bureau(place.address) as bureau:
        found = jobs(bureau)
    if as_json:
        click.echo(json.dumps([entry._asdict() for entry in found], ensure_ascii=False))
        return
    for entry in found:
        click.echo(f"{entry.name}  {entry.state}  {entry.rows - entry.open} of {entry.rows} rows settled")


@click.command()
@click.argument("which", metavar="ROW|CARD_NO")
@of_job
@MACHINE
@click.option("--reader", default="", metavar="NAME", help="The reader of real chips, by number or part of its name.")
@OPERATOR
@KEYS
@PASSPHRASE_FILE
@SEAL_FOR
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def instant(
    place: Place, which: str, machine: str, reader: str, by: str, keys: StoreAddress | None,
    passphrase_file: Path | None, seal_for: Recipient | None, as_json: bool,
) -> None:  # fmt: skip
    """Make one card of an open job at once, here, before all others: card, check and return row."""
    from functools import partial

    from kaguan.personalization.line.instant import Counter, make_now

    with (
        place.opened() as job,
        opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened,
    ):
        counter = Counter(machine, place.folder or Path(), reader, by, seal_for)
        made = make_now(opened, opened.row(which), counter, partial(click.echo, err=True))
    if as_json:
        row = {"row": made.row, "return_row": str(made.return_row), "seconds": round(made.seconds, 3)}
        click.echo(json.dumps(row, ensure_ascii=False))
    else:
        click.echo(f"row {made.row} has its card, {made.seconds:.2f} s after it was asked for; see {made.return_row}")
