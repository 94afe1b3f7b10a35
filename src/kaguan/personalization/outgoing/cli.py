"""The doors `kaguan perso report`, `previews`, `pins` and `pairing`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kaguan.personalization.desk.asking.cli import by_two, of_job, two_people
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.line.places import Place
from kaguan.personalization.paper.cli import KEY, PAIRING_KEY, key_of
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE, passphrase_of

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_ORDER = click.Path(exists=True, dir_okay=False, path_type=Path)
_SOME = 20


@click.command()
@of_job
@click.option("--out", type=_FOLDER, help="The folder for the files; the job's.")
@KEYS
@PASSPHRASE_FILE
def report(place: Place, out: Path | None, keys: StoreAddress | None, passphrase_file: Path | None) -> None:
    """Write a job's quality report (page and PDF) and the workbook of its figures."""
    from kaguan.personalization.line.places import opened_records
    from kaguan.personalization.outgoing.reports import write_reports

    folder = out or place.folder
    if folder is None:
        raise click.UsageError("say where the report goes: --out")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with place.opened() as job, opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
        for path in write_reports(job, opened.records, opened.vault, folder, click.echo, cards=place.folder):
            click.echo(path)


@click.command()
@of_job
@click.option("--out", type=_FILE, help="The PDF, or with --row a PNG; faces-0001.pdf in the job's folder.")
@click.option("--first", type=click.IntRange(1), help=f"So many rows from the first on; {_SOME}.")
@click.option("--row", default="", metavar="ROW|CARD_NO", help="One row alone.")
@click.option("--all", "every", is_flag=True, help="Every row; 500 a file.")
@click.option("--issuer", default="", help="Who issues the cards, as the face names it; the order's city if not said.")
@click.option("--bank", default="", help="The bank's name on the face; its number in the order if not said.")
@KEYS
@PASSPHRASE_FILE
def previews(
    place: Place, out: Path | None, first: int | None, row: str, every: bool, issuer: str, bank: str,
    keys: StoreAddress | None, passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Show the faces of a job's cards in true size, ten a page. A character that no font has stops it, by row."""
    from kaguan.personalization.line.places import opened_records
    from kaguan.personalization.outgoing.previews import Chosen, Design, write_picture, write_previews

    if sum((first is not None, bool(row), every)) > 1:
        raise click.UsageError("say one of --first, --row and --all")
    path = out or ((place.folder or Path()) / "faces-0001.pdf")
    with place.opened() as job, opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
        chosen = Chosen(opened.row(row) if row else 0, None if every or row else first or _SOME)
        design = Design(issuer, bank)
        if path.suffix.lower() == ".png":
            write_picture(job, opened.records, path, chosen, design)
            click.echo(path)
            return
        for part in write_previews(job, opened.records, path, chosen, design, written_at=datetime.now(UTC)):
            click.echo(part)


@click.command()
@of_job
@click.option("--out", required=True, type=_FILE, help="The sealed PIN file.")
@KEY
@click.option("--row", "rows", multiple=True, metavar="ROW|CARD_NO", help="Of this row alone; may be said again.")
@click.option("--to-task", "order", type=_ORDER, help="The job's order: mailers go to the address of each task.")
@click.option("--destroy", is_flag=True, help="The database keeps none of these PINs.")
@by_two
@KEYS
@PASSPHRASE_FILE
def pins(
    place: Place, out: Path, key_file: Path, rows: Sequence[str], order: Path | None, destroy: bool,
    names: Sequence[str], files: Sequence[str], keys: StoreAddress | None, passphrase_file: Path | None,
) -> None:  # fmt: skip
    """Give the PINs of good cards to the mailer room, sealed under its key; 'perso mailers' prints them there."""
    from kaguan.personalization.line.places import opened_records
    from kaguan.personalization.outgoing.mailroom import task_addresses, write_pin_file

    key = key_of(key_file)
    with place.opened() as job:
        people = two_people(job.bureau, names, files)
        tasks = task_addresses(order, job) if order is not None else None
        with opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
            numbers = [opened.row(row) for row in rows]
            sent = write_pin_file(
                job, opened.records, people, out, key, rows=numbers, task_addresses=tasks, destroy=destroy
            )
    click.echo(f"{out}: {len(sent.rows)} PINs" + (", destroyed in the database" if destroy else ""))
    if sent.without_address:
        click.echo(f"{sent.without_address} have no address: their mailers are handed over with the card")


@click.command()
@of_job
@click.option("--out", required=True, type=_FILE, help="A PDF with codes to scan, or a CSV.")
@PAIRING_KEY
@KEYS
@PASSPHRASE_FILE
def pairing(
    place: Place, out: Path, pairing_key_file: Path, keys: StoreAddress | None, passphrase_file: Path | None
) -> None:
    """Write the codes that card, letter and mailer of each good card carry; 'kaguan perso pair' compares two."""
    from kaguan.personalization.line.places import opened_records
    from kaguan.personalization.outgoing.links import write_codes, write_sheet

    key = key_of(pairing_key_file)
    with place.opened() as job, opened_records(job, keys, passphrase_of(keys, passphrase_file)) as opened:
        if out.suffix.lower() == ".csv":
            click.echo(f"{out}: {write_codes(job, opened.records, key, out)} cards")
            return
        for part in write_sheet(job, opened.records, key, out, written_at=datetime.now(UTC)):
            click.echo(part)


DOORS = (report, previews, pins, pairing)
