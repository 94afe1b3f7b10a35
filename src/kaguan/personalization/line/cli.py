"""The line's doors: `kaguan perso run` and `station`."""

from __future__ import annotations

import getpass
import select
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click

from kaguan.apdu.errors import RuleBroken
from kaguan.card_os.profile import load_profile
from kaguan.personalization.desk.asking.cli import MACHINE, SEAL_FOR
from kaguan.personalization.job.claims import LEASE_SECONDS
from kaguan.personalization.keys.tokenstore import StoreAddress
from kaguan.personalization.line.intake import OrderRefused
from kaguan.personalization.line.line import run_line
from kaguan.personalization.line.progress.cli import METRICS, served_at, shown_progress
from kaguan.personalization.line.results import written
from kaguan.personalization.line.terms import LineOrder
from kaguan.personalization.order.cli import ORDER, PROFILE, print_report, rules_for, trust_options
from kaguan.personalization.preparation.cli import FOLDER
from kaguan.personalization.station.pins import KINDS, PROFILE_PIN
from kaguan.personalization.station.process import Post, run_station
from kaguan.personalization.station.sampling import Sampling
from kaguan.personalization.stores.cli import KEYS, PASSPHRASE_FILE, passphrase_of
from kaguan.vault.secret import Secret

DATABASE = click.option(
    "--database",
    default="",
    envvar="KAGUAN_DATABASE",
    help="The bureau's database: postgresql://USER@HOST/NAME, or a file; job.sqlite in the job's folder if not said.",
)
FILE = click.Path(dir_okay=False, path_type=Path)

LEASE = click.option(
    "--lease",
    "lease_seconds",
    default=LEASE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(1.0),
    help="A station that is silent for so long has lost its rows to others.",
)


def _engine(_context: click.Context, _option: click.Parameter, address: str) -> str:
    if address and not address.startswith("dask://"):
        raise click.BadParameter("an engine's address is dask://HOST:PORT; see 'kaguan perso engine up'")
    return address


def _sampling(_context: click.Context, _option: click.Parameter, text: str) -> Sampling:
    return Sampling.parse(text)


@click.command()
@ORDER
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The job's folder.")
@PROFILE
@click.option("--stations", default=2, show_default=True, type=click.IntRange(1, 64), help="Stations at work at once.")
@click.option("--backend", default="emulator", show_default=True, type=click.Choice(["emulator", "pcsc"]))
@click.option(
    "--reader",
    "readers",
    multiple=True,
    metavar="NAME",
    help="With --backend pcsc: a reader, by number or part of its name; once for each station.",
)
@DATABASE
@click.option("--job", "name", default="", help="The job's name; the task list's if not said.")
@KEYS
@PASSPHRASE_FILE
@click.option("--engine", default="", callback=_engine, help="Where rows are prepared: dask://HOST:PORT; else here.")
@FOLDER
@click.option(
    "--sample",
    "sampling",
    default="all",
    show_default=True,
    callback=_sampling,
    help="Cards checked to the last byte: all, first-K, 1/N, or first-K,1/N.",
)
@click.option(
    "--pins",
    default=PROFILE_PIN,
    show_default=True,
    type=click.Choice(KINDS),
    help="First PINs: the profile's one for all, or drawn for each card ('kaguan perso pins' has them printed).",
)
@click.option(
    "--glyphs",
    default="check",
    show_default=True,
    type=click.Choice(["check", "skip"]),
    help="Whether a name with a character that no font of this machine has stops the order.",
)
@click.option("--chips", type=click.IntRange(0), help="Blank chips handed to this machine for the shift.")
@click.option("--shift", default="", help="The shift's name; today's date if not said.")
@MACHINE
@LEASE
@click.option("--operator", default=getpass.getuser, help="Who runs the line; the name of the login.")
@trust_options
@METRICS
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a second on standard output, and one at the end."
)
@SEAL_FOR
@click.option("--checkpoint", "checkpoints", type=FILE, help="Keep checkpoints of the audit trail in this file too.")
@click.option("--skip-bad", is_flag=True, help="Make the good rows, put the others into return-bad.txt.")
def run(
    order: Path, profile: str, backend: str, readers: tuple[str, ...], keys: StoreAddress | None,
    passphrase_file: Path | None, engine: str, folder: Path, metrics: tuple[str, int] | None, as_json: bool,
    glyphs: str, **options: Any,
) -> None:  # fmt: skip
    """Make every card of an order. The same command goes on with a job that was stopped or killed."""
    if backend == "pcsc" and not readers:
        raise click.UsageError("--backend pcsc needs --reader, by number or part of its name")
    if len(set(readers)) < len(readers):
        raise click.UsageError("a reader serves one station: one is named twice")

    def cluster() -> Executor:
        from kaguan.personalization.preparation.cluster import ClusterEngine

        return ClusterEngine(engine, folder)

    say = partial(click.echo, err=as_json)  # standard output is for the machine
    line = LineOrder(
        order=order,
        profile=load_profile(profile),
        rules=rules_for(profile),
        store=keys,
        passphrase=passphrase_of(keys, passphrase_file),
        backend=backend,
        readers=readers,
        engine=cluster if engine else None,
        check_names=glyphs == "check",
        reports=True,
        **options,
    )
    try:
        with ExitStack() as stack:
            progress = stack.enter_context(shown_progress(as_json=as_json))
            if metrics is not None:
                stack.enter_context(served_at(line.address, line.name, metrics))
            counts = run_line(line, progress, say)
    except OrderRefused as refusal:
        print_report(refusal.report)
        raise
    say(f"{counts.good} good, {counts.rejected} rejected, {counts.refused} refused; see {line.out}/report.json")
    if counts.open:
        say(f"{counts.open} rows are open: run the same command to go on")
    if counts.rejected or counts.refused:
        say(f"reasons are in {written(line)[1]}")
    if counts.rejected:
        raise RuleBroken(f"{counts.rejected} rows got no card")


@click.command()
@click.option("--database", required=True, envvar="KAGUAN_DATABASE", help="The bureau's database, as for 'run'.")
@click.option("--job", default="", help="The job's name, if the database has several.")
@KEYS
@PASSPHRASE_FILE
@click.option(
    "--cards",
    "out",
    default=Path(),
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for finished emulated cards; this one.",
)
@click.option("--reader", default="", metavar="NAME", help="The reader of real chips, by number or part of its name.")
@MACHINE
@click.option("--number", default=1, show_default=True, type=click.IntRange(1), help="The station's at this machine.")
@LEASE
@click.option("--supervised", is_flag=True, hidden=True)
def station(
    database: str, job: str, keys: StoreAddress | None, passphrase_file: Path | None, out: Path, reader: str,
    machine: str, number: int, lease_seconds: float, supervised: bool,
) -> None:  # fmt: skip
    """Work at a job from any machine, until no row of it is open. Ctrl-C ends it with the card it is at.

    A supervised station gets its passphrase on standard input, and ends when that does.
    """
    post = Post(database, job, out, keys, machine, number, reader, lease_seconds)
    told = _told_to_end()
    if supervised:
        given = sys.stdin.buffer.readline().rstrip(b"\n")
        run_station(post, Secret(given) if given else None, tell=click.echo, ended=lambda: told() or _input_has_ended())
    else:
        run_station(post, passphrase_of(keys, passphrase_file), tell=click.echo, ended=told)


def _told_to_end() -> Callable[[], bool]:
    """Whether Ctrl-C, or a request to terminate, has come; a second one ends the program wherever it is."""
    told = False

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if told:
            raise KeyboardInterrupt
        told = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return lambda: told


def _input_has_ended() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)
