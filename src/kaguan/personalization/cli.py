"""The bureau's doors: `kaguan order` and `kaguan perso`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from kaguan.apdu.errors import RuleBroken, VaultError
from kaguan.card_os.profile import load_profile
from kaguan.personalization.job.job import Counts
from kaguan.personalization.keys.token.cli import key_store
from kaguan.personalization.keys.tokenstore import StoreAddress, TokenStore
from kaguan.personalization.keystore import open_store, passphrase_path
from kaguan.personalization.line.line import LineOrder, OrderRefused, job_counts, run_line
from kaguan.personalization.order.check import OrderReport, check_order
from kaguan.personalization.order.holder_rules import HolderRules, absent_columns, layout_of
from kaguan.personalization.station.process import run_station
from kaguan.vault.secret import Secret

PROFILE = click.option("--profile", default="ssc-v2", show_default=True, help="Card profile.")
ZIP = click.argument("order", metavar="ZIP", type=click.Path(exists=True, dir_okay=False, path_type=Path))
BAD_INPUT = 7


def rules_for(profile: str) -> HolderRules:
    """The rules of today for orders of cards of this profile."""
    chosen = load_profile(profile)
    today = datetime.now(UTC).astimezone().date()
    return HolderRules(today=today, layout=layout_of(chosen), absent=absent_columns(chosen))


@click.group()
def order() -> None:
    """Order files: what is wrong with them."""


@order.command("check")
@ZIP
@PROFILE
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(order: Path, profile: str, as_json: bool) -> None:
    """List every fault of an order; end with 7 when there is one."""
    report = check_order(order, rules_for(profile))
    if as_json:
        click.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        print_report(report)
    if not report.ok:
        raise SystemExit(BAD_INPUT)


def print_report(report: OrderReport) -> None:
    """One line a fault, and one for the sum."""
    for fault in report.file_faults:
        place = f"line {fault.line}, " if fault.line else ""
        click.echo(f"file: {place}{fault.column}: {fault.reason}")
    for fault in report.row_faults:
        click.echo(f"row {fault.row} (line {fault.line}): {fault.column}: {fault.reason}")
    click.echo(f"{report.good} good rows, {len(report.faults)} faults")


@click.group()
def perso() -> None:
    """Personalization: from an order to sealed cards."""


@perso.command()
@ZIP
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The job's folder.")
@PROFILE
@click.option("--stations", default=2, show_default=True, type=click.IntRange(1, 64), help="Stations at work at once.")
@click.option("--backend", default="emulator", show_default=True, type=click.Choice(["emulator", "pcsc"]))
@click.option("--reader", default="", help="With --backend pcsc: the reader, by number or part of its name.")
@click.option("--keys", type=key_store, help="Key store: a file, or pkcs11:LABEL for a token.")
@click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the store's passphrase; asked for when it is neither given nor beside the store.",
)
@click.option("--skip-bad", is_flag=True, help="Make the good rows, put the others into return-bad.txt.")
def run(
    order: Path,
    out: Path,
    profile: str,
    stations: int,
    backend: str,
    reader: str,
    keys: StoreAddress | None,
    passphrase_file: Path | None,
    skip_bad: bool,
) -> None:
    """Make every card of an order. The same command goes on with a job that was stopped or killed."""
    if backend == "pcsc" and not reader:
        raise click.UsageError("--backend pcsc needs --reader, by number or part of its name")
    line = LineOrder(
        order=order,
        out=out,
        profile=load_profile(profile),
        rules=rules_for(profile),
        store=keys,
        passphrase=passphrase_of(keys, passphrase_file),
        stations=1 if backend == "pcsc" else stations,
        backend=backend,
        reader=reader,
        skip_bad=skip_bad,
    )
    try:
        with shown_progress() as progress:
            counts = run_line(line, progress)
    except OrderRefused as refusal:
        print_report(refusal.report)
        raise
    click.echo(f"{counts.good} good, {counts.rejected} rejected, {counts.refused} refused; see {out}/report.json")
    if counts.rejected or counts.refused:
        click.echo(f"reasons are in {out}/return-bad.txt")
    if counts.rejected:
        raise RuleBroken(f"{counts.rejected} rows got no card")


@perso.command()
@click.argument("out", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def status(out: Path, as_json: bool) -> None:
    """How a job stands."""
    counts = job_counts(out)
    if as_json:
        click.echo(json.dumps({**counts._asdict(), "total": counts.total}))
    else:
        click.echo(progress_line(counts))


@perso.command(hidden=True)
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--run", required=True, type=int)
@click.option("--number", required=True, type=int)
@click.option("--reader", default="")
def station(out: Path, run: int, number: int, reader: str) -> None:
    """One station of a running job; its passphrase comes on standard input."""
    passphrase = sys.stdin.buffer.readline().rstrip(b"\n")
    run_station(out, run, number, Secret(passphrase) if passphrase else None, reader=reader, tell=click.echo)


def passphrase_of(store: StoreAddress | None, file: Path | None) -> Secret | None:
    """The store's passphrase, or the token's PIN: from the file, asked for, or None when the store has its own file.

    Raises:
        VaultError: it is empty, has a line break in it, or does not open the store.
    """
    if store is None:
        return None
    if file is not None:
        raw = file.read_bytes().strip()
    elif store.pin_source is not None if isinstance(store, TokenStore) else passphrase_path(store).exists():
        open_store(store)
        return None
    else:
        asked = "PIN of the token" if isinstance(store, TokenStore) else "Passphrase of the key store"
        raw = click.prompt(asked, hide_input=True, err=True).encode()
    if not raw or b"\n" in raw:
        raise VaultError("a passphrase is one line, and not an empty one")
    passphrase = Secret(raw)
    open_store(store, passphrase, attended=file is None)
    return passphrase


def progress_line(counts: Counts) -> str:
    """The counts in one line."""
    return (
        f"{counts.good} of {counts.total} cards good, {counts.claimed} at work, {counts.pending} waiting, "
        f"{counts.rejected} rejected, {counts.refused} refused"
    )


@contextmanager
def shown_progress() -> Iterator[Callable[[Counts], None]]:
    """Show a job's counts as they come: a bar on a terminal, a line a second in a pipe."""
    if sys.stdout.isatty():
        with _bar() as show:
            yield show
        return
    shown = ""
    last = 0.0

    def show_line(counts: Counts) -> None:
        nonlocal last, shown
        line = progress_line(counts)
        if line != shown and (time.monotonic() - last >= 1 or not counts.open):
            last, shown = time.monotonic(), line
            click.echo(line)

    yield show_line


@contextmanager
def _bar() -> Iterator[Callable[[Counts], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("cards"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.0f}/s  rejects {task.fields[bad]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns) as progress:
        task = progress.add_task("cards", total=None, rate=0.0, bad=0)
        first: int | None = None

        def show(counts: Counts) -> None:
            nonlocal first
            first = counts.good if first is None else first
            done = counts.total - counts.open
            rate = (counts.good - first) / max(time.monotonic() - started, 0.001)
            bad = counts.rejected + counts.refused
            progress.update(task, total=counts.total, completed=done, rate=rate, bad=bad)

        yield show
