"""The suite's door: `kaguan conform`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click

from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.durable import write_whole
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.imagefile import FileCard
from kaguan.personalization.keys.tokenstore import StoreAddress, store_of
from kaguan.personalization.keystore import open_store, require_kind
from kaguan.personalization.specimen import specimen_keys
from kaguan.personalization.stores.cli import passphrase_of
from kaguan.terminal.cardkeys import CardKeys, region_factors
from kaguan.terminal.conformance.bench import Bench
from kaguan.terminal.conformance.junit import junit
from kaguan.terminal.conformance.page import page
from kaguan.terminal.conformance.report import ChapterReport, Report
from kaguan.terminal.conformance.specimen import is_specimen
from kaguan.terminal.conformance.suite import chapters, judged
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.options.cli import READER, TRACE, require_apart
from kaguan.terminal.ownership import NotOurs, OnlyRead, open_wanted
from kaguan.terminal.script import converse
from kaguan.terminal.trace.files import Tracing
from kaguan.vault.secret import Pin

CARD_FAILS = 3

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--profile", "profile_name", default="ssc-v2", show_default=True, help="Card profile.")
@click.option("--card", type=_FILE, help="A card image; a copy of it is judged.")
@READER
@click.option("--keys", "store", metavar="STORE", type=store_of, help="A key store with the card's master keys.")
@click.option("--region", metavar="CITY", help="The six digits of the city that the card's keys are for.")
@click.option("--ask-pin", is_flag=True, help="Ask for the PIN; otherwise it is the profile's initial PIN.")
@click.option("--risk-tries", is_flag=True, help="Show keys also to a card that does not tell their tries.")
@click.option("--junit", "junit_file", type=_FILE, help="Write the report as JUnit XML.")
@click.option("--html", "html_file", type=_FILE, help="Write the report as one HTML page.")
@TRACE
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def conform(
    profile_name: str,
    card: Path | None,
    reader: WantedReader | None,
    store: StoreAddress | None,
    region: str | None,
    ask_pin: bool,
    risk_tries: bool,
    junit_file: Path | None,
    html_file: Path | None,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Judge a card by the chapters of LD/T 6001.3-2023; end with 3 when it fails.

    A PIN or key that is known to have one try left is not shown, and what is written is put back: the card is
    afterwards what it was. Most cards do not tell how many tries a key has. In a reader, what needs keys is then not
    covered without --risk-tries; of a card image only a copy is judged, and nothing is at risk. A specimen's keys
    and PIN are known; for other cards give --keys and --region, and --ask-pin.
    """
    if (card is None) == (reader is None):
        raise click.UsageError("name one card: --card CARD or --reader NAME")
    if (store is None) != (region is None):
        raise click.UsageError("--keys and --region go together")
    if region is not None:
        region_factors(region)
    require_apart([card, store if isinstance(store, Path) else None], junit_file, html_file, trace)
    _require_folders(junit_file, html_file)
    profile = load_profile(profile_name)
    chapters(profile)
    typed = Pin.of(click.prompt("PIN", hide_input=True, err=True)) if ask_pin else None
    offered = None if store is None else open_store(store, passphrase_of(store, None))
    if offered is not None and region is not None:
        require_kind(offered.kind, region)
    with _card(card, reader, profile, trace) as link:
        wire = for_conversation(link)
        keys = CardKeys(offered, profile, region, wire.atr) if offered and region else _specimen_keys(wire, profile)
        initial = profile.defaults.get("initial_pin")
        bench = Bench(
            profile,
            wire.atr,
            keys,
            typed or (Pin.of(initial) if initial else None),
            pin_known=ask_pin or (keys is not None and offered is None),
            risk_tries=risk_tries or card is not None,
        )
        report = judged(wire, bench, _print_nothing if as_json else _print)
    _write(report, junit_file, html_file)
    click.echo(json.dumps(report.as_json(), ensure_ascii=False) if as_json else "\n".join(report.summary()))
    if not report.passed:
        raise SystemExit(CARD_FAILS)


def _print(chapter: ChapterReport) -> None:
    for line in chapter.lines():
        click.echo(line)


def _print_nothing(chapter: ChapterReport) -> None:
    """JSON comes in one piece at the end."""


def _require_folders(*files: Path | None) -> None:
    """Return when each file has a folder to be written into: known before a card is judged for minutes."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f"{file}: there is no folder {file.parent}")


def _write(report: Report, junit_file: Path | None, html_file: Path | None) -> None:
    if junit_file is not None:
        write_whole(junit_file, junit(report).encode())
    if html_file is not None:
        write_whole(html_file, page(report).encode())


def _specimen_keys(link: Link, profile: CardProfile) -> CardKeys | None:
    """The specimen's keys when the card shows that it is one."""
    keys = specimen_keys(profile, link.atr)
    link.reset()
    return keys if converse(link, is_specimen(keys)) else None


@contextmanager
def _card(card: Path | None, reader: WantedReader | None, profile: CardProfile, trace: Path | None) -> Iterator[Link]:
    """A copy of the card in the file, which nobody else has open; or the card in the reader, when it is ours."""
    with ExitStack() as stack:
        if card is not None:
            image = stack.enter_context(FileCard(card)).image
            if image.profile != profile.name:
                click.echo(f"{card} is a card of profile {image.profile}, judged as {profile.name}", err=True)
            link: Link = EmulatedCard(image)
        else:
            assert reader is not None  # noqa: S101 - the caller has looked
            link = stack.enter_context(closing(open_wanted(reader, profile)))
            if isinstance(link, OnlyRead):
                raise NotOurs("the suite", reader.name)
        if trace is not None:
            tracing = stack.enter_context(closing(Tracing(trace, profile)))
            link = stack.enter_context(closing(tracing.observed(link, 0)))
        yield link
