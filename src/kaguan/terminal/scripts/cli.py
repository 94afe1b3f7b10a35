"""The scripts' door: `kaguan script`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click

from kaguan.apdu.errors import KaguanError, LinkError
from kaguan.apdu.link import Link
from kaguan.apdu.tape import Verdict
from kaguan.card_os.profile import CardProfile
from kaguan.emulator.faults import Faults
from kaguan.emulator.luck import DealtRandom
from kaguan.opening import DEFAULT_PROFILE, Places
from kaguan.terminal.cli import AS_JSON, RANDOM
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.options.cli import FAULTS, PSAM_READER, READER, TRACE, require_apart
from kaguan.terminal.scripts.files import script_file
from kaguan.terminal.scripts.junit import Report
from kaguan.terminal.scripts.play import Played, ScriptFailed, play_script
from kaguan.terminal.scripts.read import Dialect
from kaguan.terminal.scripts.script import CardScript, Say

PSAM_NUMBER, PSAM_PROFILE = 1, "psam"


@click.group()
def script() -> None:
    """Run scripts of other tools: scriptor, apdutool, CPU card scripts, tapes."""


@script.command("run")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--format",
    "dialect",
    type=click.Choice([*(dialect.value for dialect in Dialect), "jcardsim"]),
    help="What the scripts are written in; else name and content tell.",
)
@click.option(
    "--card",
    "cards",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The card image to run on; again for further cards.",
)
@click.option("--psam", type=click.Path(dir_okay=False, path_type=Path), help="A PSAM's image: card 1.")
@PSAM_READER
@READER
@RANDOM
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results as JUnit's XML.")
@TRACE
@FAULTS
@AS_JSON
def run_scripts(
    files: tuple[Path, ...],
    dialect: str | None,
    cards: tuple[Path, ...],
    psam: Path | None,
    psam_reader: WantedReader | None,
    reader: WantedReader | None,
    numbers: DealtRandom | None,
    junit: Path | None,
    trace: Path | None,
    faults: Faults,
    as_json: bool,
) -> None:
    """Run scripts on cards; end with 3 at an answer that is not as a script says.

    All scripts are read before anything is sent. Each begins with a reset of all cards, stops at its first wrong
    answer, and then the next one runs. Cards are numbered from 0: images, then the card in the reader; with --psam
    or --psam-reader the PSAM is card 1. PINs, keys and deciphered data are shown as XX.
    """
    if not cards and reader is None:
        raise click.UsageError("name a card: --card CARD or --reader NAME")
    if numbers is not None and not cards and psam is None:
        raise click.UsageError("--random is for card images: a real card has its own random numbers")
    if psam is not None and psam_reader is not None:
        raise click.UsageError("one PSAM: --psam or --psam-reader")
    require_apart([*files, *cards, psam], junit, trace)
    chosen = None if dialect is None else Dialect("apdutool" if dialect == "jcardsim" else dialect)
    scripts = [script_file(file, chosen) for file in files]
    report = Report()
    try:
        places = Places(random=numbers, trace=trace, faults=faults)
        with _seated(places, cards, psam or psam_reader, reader) as (links, profiles):
            for one in scripts:
                one.require_cards(len(links))
            codes = [_ran(one, links, profiles, report, as_json=as_json) for one in scripts]
    finally:
        if junit is not None:
            report.write(junit)
    if any(codes):
        raise SystemExit(next(code for code in codes if code))


@contextmanager
def _seated(
    places: Places, cards: Sequence[Path], psam: Path | WantedReader | None, reader: WantedReader | None
) -> Iterator[tuple[list[Link], list[CardProfile]]]:
    """The cards by their numbers, with their profiles; the places are closed at the end."""
    seats: list[Path | WantedReader] = [*cards, *([reader] if reader else [])]
    if psam is not None:
        seats.insert(PSAM_NUMBER, psam)
    with closing(places):
        links = [
            places.put_image(seat, number)
            if isinstance(seat, Path)
            else places.put_reader(seat, number, PSAM_PROFILE if seat is psam else DEFAULT_PROFILE)
            for number, seat in enumerate(seats)
        ]
        yield links, [places.profiles[number] for number in range(len(links))]


def _ran(
    script: CardScript, links: Sequence[Link], profiles: Sequence[CardProfile], report: Report, *, as_json: bool
) -> int:
    """The exit code that this script ends with.

    Raises:
        LinkError: a card did not answer; nothing is known of it, so no other script follows.
    """
    report.begin(script.file)
    label = ""
    shown = _Screen(as_json=as_json)
    begun = time.perf_counter()
    try:
        for link in links:
            link.reset()
        for played in play_script(script, links, profiles, time.sleep):
            seconds = time.perf_counter() - begun
            shown.show(played)
            if isinstance(played, Say):
                label = played.text
            elif played.verdict is not Verdict.MISMATCHED:
                report.passed(played, seconds, label)
                label = ""
            begun = time.perf_counter()
    except ScriptFailed as failure:
        report.failed(failure.played, time.perf_counter() - begun, str(failure), label)
        return _complained(failure)
    except LinkError as error:
        report.broken(str(error), type(error).__name__)
        raise
    except KaguanError as error:
        report.broken(str(error), type(error).__name__)
        return _complained(error)
    return 0


def _complained(error: KaguanError) -> int:
    click.echo(f"kaguan: {error}", err=True)
    return error.exit_code


class _Screen:
    """What a person, or a program, sees of a script."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._card = 0

    def show(self, played: Played | Say) -> None:
        """Print it at once."""
        if isinstance(played, Say):
            click.echo(json.dumps({"echo": played.text}) if self._as_json else played.text)
        elif self._as_json:
            click.echo(json.dumps(_described(played)))
        elif played.wanted:
            if played.card != self._card:
                self._card = played.card
                click.echo(f"# card {played.card}")
            command = str(played.command) or "reset"
            meaning = f"  {played.meaning}" if played.meaning else ""
            click.echo(f"> {command}\n< {played.response}{meaning}  # {played.verdict.value}")


def _described(played: Played) -> dict[str, object]:
    row: dict[str, object] = {"file": played.file, "line": played.line, "card": played.card, "title": played.title}
    if not played.command.value:
        row |= {"reset": True, "atr": str(played.response)}
    else:
        response = str(played.response)
        row |= {
            "command": str(played.command),
            "data": response[:-4],
            "sw": response[-4:],
            "meaning": played.meaning,
        }
    return row | {"verdict": played.verdict.value}
