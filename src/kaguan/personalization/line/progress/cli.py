"""The doors `kaguan perso status` and `metrics`, and what a run shows meanwhile."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from kaguan.apdu.errors import RuleBroken
from kaguan.personalization.desk.asking.cli import of_job
from kaguan.personalization.job.figures import Figures, figures
from kaguan.personalization.job.job import Counts, Job
from kaguan.personalization.job.schema import JobState
from kaguan.personalization.line.places import Place
from kaguan.personalization.line.progress.text import counts_line, status_lines
from kaguan.personalization.line.supervisor import Progress

EVERY_SECONDS = 1.0
_SHARE = 10
"""Looking at a large job takes its time: it is to take no more than one part in so many."""
Listen = tuple[str, int]


def _listen(_context: click.Context, _option: click.Parameter, text: str | None) -> Listen | None:
    if text is None:
        return None
    from kaguan.personalization.line.progress.prometheus import listen_address

    return listen_address(text)


METRICS = click.option(
    "--metrics",
    metavar="[HOST:]PORT",
    callback=_listen,
    help="Serve figures for Prometheus meanwhile; on this machine alone if no host is said.",
)


@click.command()
@of_job
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--watch", is_flag=True, help="Go on until no row is open; Ctrl-C ends it.")
def status(place: Place, as_json: bool, watch: bool) -> None:
    """How a job stands: rows, stations, rate, rejected chips, balance."""
    with place.opened() as job, shown_progress(as_json=as_json) as progress:
        if job.state is JobState.PREPARING and not watch:
            raise RuleBroken("the job has not taken its order in yet: run 'kaguan perso run' again")
        if not watch:
            _print(figures(job), as_json=as_json)
            return
        while (counts := job.counts()).open or job.state is JobState.PREPARING:
            progress(job, counts)
            time.sleep(EVERY_SECONDS / 4)
        progress(job, counts)


@click.command()
@of_job
@click.option("--listen", default="9464", show_default=True, callback=_listen, metavar="[HOST:]PORT", help="Where.")
def metrics(place: Place, listen: Listen) -> None:
    """Serve figures for Prometheus until Ctrl-C: of one job, or without --job of every job of the database."""
    with served_at(place.address, place.name, listen):
        while True:
            time.sleep(3600)


@contextmanager
def served_at(address: str, job: str, listen: Listen) -> Iterator[None]:
    """While the context lasts the figures are served, and it was said where."""
    from kaguan.personalization.line.progress.prometheus import served_metrics

    with served_metrics(address, job, listen) as port:
        click.echo(f"metrics at http://{listen[0]}:{port}/metrics", err=True)
        yield


@contextmanager
def shown_progress(*, as_json: bool = False) -> Iterator[Progress]:
    """Show a job as it goes: live on a terminal, else a line a second; or a JSON object a second and at the end."""
    if as_json:
        with _paced(lambda look: _print(look, as_json=True)) as progress:
            yield progress
    elif sys.stdout.isatty():
        with _live() as show, _paced(show) as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def _paced(show: Callable[[Figures], None]) -> Iterator[Progress]:
    """A look a second is shown, and the last one."""
    shown: Figures | None = None
    due = 0.0
    latest: tuple[Job, Counts] | None = None

    def progress(job: Job, counts: Counts) -> None:
        nonlocal shown, due, latest
        latest = job, counts
        started = time.monotonic()
        if counts.open and started < due:
            return
        latest = None
        shown = figures(job, shown, counts=counts)
        show(shown)
        due = started + max(EVERY_SECONDS, (time.monotonic() - started) * _SHARE)

    yield progress
    if latest is not None:
        show(figures(latest[0], shown, counts=latest[1]))


@contextmanager
def _live() -> Iterator[Callable[[Figures], None]]:
    from rich.live import Live

    from kaguan.personalization.line.progress.live import picture

    with Live(auto_refresh=False) as live:

        def show(look: Figures) -> None:
            live.update(picture(look), refresh=True)

        yield show


def _lines() -> Progress:
    shown, last = "", 0.0

    def progress(_job: Job, counts: Counts) -> None:
        nonlocal shown, last
        line = counts_line(counts)
        if line != shown and (time.monotonic() - last >= EVERY_SECONDS or not counts.open):
            shown, last = line, time.monotonic()
            click.echo(line)

    return progress


def _print(look: Figures, *, as_json: bool) -> None:
    if as_json:
        print_json(look.as_json())
    else:
        click.echo("\n".join(status_lines(look)))


def print_json(value: Any) -> None:
    """One JSON value a line, told to the reader at once."""
    click.echo(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()
