"""The door of data preparation's engine: `kaguan perso engine`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kaguan.personalization.preparation.hosting import HostedEngine

FOLDER_VARIABLE = "KAGUAN_ENGINE"


def default_folder() -> Path:
    """Where the engine's certificate is when nobody says otherwise."""
    return Path(click.get_app_dir("kaguan")) / "engine"


FOLDER = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=FOLDER_VARIABLE,
    default=default_folder,
    help=f"The engine's folder, with its certificate; {FOLDER_VARIABLE} says it too.",
)


@click.group()
def engine() -> None:
    """A Dask cluster for data preparation: start one here, stop it, see its workers.

    Every part of it shows one certificate, made when it starts, and trusts no other: nobody else connects, or reads
    what travels, which is sealed besides. Whoever can read the folder can use the cluster and run programs in it.
    """


@engine.command()
@FOLDER
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes; one a core if it is not said.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at; this machine alone.")
@click.option("--port", default=8786, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C instead of going into the background.")
def up(folder: Path, workers: int | None, host: str, port: int, foreground: bool) -> None:
    """Start a scheduler and its workers, and print the address for --engine."""
    from kaguan.personalization.preparation.hosting import host_engine, start_engine

    count = workers or os.cpu_count() or 1
    if foreground:
        host_engine(folder, workers=count, host=host, port=port, ready=_told)
    else:
        _told(start_engine(folder, workers=count, host=host, port=port))


def _told(hosted: HostedEngine) -> None:
    click.echo(f"{hosted.address} is up with {hosted.workers} workers, process {hosted.pid}")


@engine.command()
@FOLDER
def down(folder: Path) -> None:
    """Stop the cluster of this machine; its certificate is destroyed."""
    from kaguan.personalization.preparation.hosting import stop_engine

    hosted = stop_engine(folder)
    click.echo(f"{hosted.address} is down" if hosted else "no engine runs here")


@engine.command()
@click.argument("address", required=False)
@FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(address: str | None, folder: Path, as_json: bool) -> None:
    """Show the cluster's workers, of this machine or at an ADDRESS; end with 4 when there is none, 5 when unfit."""
    from kaguan.personalization.preparation.cluster import ClusterEngine, EngineAbsent
    from kaguan.personalization.preparation.hosting import hosted_engine

    if address is None:
        hosted = hosted_engine(folder)
        if hosted is None:
            raise EngineAbsent("no engine runs here: start one with 'kaguan perso engine up'")
        address = hosted.address
    with ClusterEngine(address, folder) as cluster:
        if as_json:
            click.echo(json.dumps({"address": address, "workers": cluster.workers}))
        else:
            click.echo(f"{address}: {cluster.workers} workers, each fit for the work")
