"""`kaguan cms region`: what a country, a province or a city decides, and since when."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import Question, Request, asks, changes, existing_file
from kaguan.cms.regions.shipped import shipped_regions
from kaguan.cms.rules.regionfile import check_files, parse_region

_files = click.argument("region_files", metavar="FILE...", type=existing_file, nargs=-1, required=True)


@click.group()
def region() -> None:
    """What a region decides for itself: rules with a day from which they hold."""


@region.command("check")
@_files
def region_check(region_files: tuple[Path, ...]) -> None:
    """Tell whether region FILEs are sound, alone and with the regions above them that come with Kaguan."""
    files = [parse_region(text, file=name) for name, text in _texts(region_files).items()]
    given = {one.code for one in files}
    shipped = [one for code, one in shipped_regions().items() if code not in given]
    check_files(files, known=[layer for one in shipped for layer in one.versions])
    for one in files:
        days = ", ".join(layer.valid_from.isoformat() for layer in one.versions)
        click.echo(f"{one.file}: {one.code} {one.name}, sound; in force from {days}")


@region.command("show")
@click.argument("code")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if not given.")
@asks
def region_show(question: Question, code: str, day: datetime | None) -> None:
    """Show every rule of region CODE on a day, and where it comes from."""
    from kaguan.cms.regions.record import region_record

    record = region_record(code, day.date() if day else _today())
    if question.as_json:
        question.show({**record})
        return
    question.show({name: _line(**parts) for name, parts in record.items()})


@region.command("import")
@_files
@changes
def region_import(request: Request, region_files: tuple[Path, ...]) -> None:
    """Put the versions of region FILEs on the books; those that are there already stay as they are."""
    from kaguan.cms.services.regions import import_regions

    request.show(import_regions(request.actor, request.request_id, texts=_texts(region_files)))


@region.command("open")
@click.argument("code")
@click.option("--authority", required=True, help="Code of the authority to be.")
@click.option("--administrator", required=True, help="Code of the first administrator there.")
@changes
def region_open(request: Request, code: str, authority: str, administrator: str) -> None:
    """Open region CODE for business, beside the one that is open already."""
    from kaguan.cms.services.regions import open_region

    request.show(
        open_region(request.actor, request.request_id, code=code, authority=authority, administrator=administrator)
    )


def _line(*, value: object, region: object, since: object, confidence: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"{text}  ({region} since {since}, {confidence})" if region else f"{text}  (default, {confidence})"


def _today() -> date:
    from django.utils import timezone

    return timezone.localdate()


def _texts(region_files: tuple[Path, ...]) -> dict[str, str]:
    """Return the files' texts by their names; refuse with InputError when two have one name, or one is no text."""
    texts: dict[str, str] = {}
    for file in region_files:
        if file.name in texts:
            raise InputError(f"two files are called {file.name}: rename one of them")
        try:
            texts[file.name] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{file.name} is no UTF-8 (byte {error.start + 1}): save it as UTF-8") from None
    return texts
