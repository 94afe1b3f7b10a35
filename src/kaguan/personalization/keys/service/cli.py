"""The key service's doors: `kaguan keys serve` and `kaguan keys service-cert`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from kaguan.personalization.keys.service.address import SCHEME, Place
from kaguan.personalization.keys.token.cli import key_store
from kaguan.personalization.keys.tokenstore import StoreAddress

STATION_DAYS = 400


@click.command("serve")
@click.argument("store", metavar="STORE", type=key_store)
@click.option("--listen", required=True, type=Place.parse, metavar="unix:PATH|HOST:PORT", help="Where stations come.")
@click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With HOST:PORT: the service's own file, from 'kaguan keys service-cert --serves'.",
)
@click.option("--allow", multiple=True, metavar="STATION", help="Serve these stations alone; repeat it.")
@click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the store's passphrase; asked for when it is neither given nor beside the store.",
)
def serve_keys(
    store: StoreAddress, listen: Place, identity: Path | None, allow: Sequence[str], passphrase_file: Path | None
) -> None:
    """Let stations work with the keys of STORE, which stay here. Ends with SIGTERM or Ctrl-C."""
    if (listen.path is None) is (identity is None):
        raise click.UsageError("--listen HOST:PORT takes --identity; a Unix socket has none")
    if allow and identity is None:
        raise click.UsageError("--allow goes with HOST:PORT: on a Unix socket everybody is this user")
    from kaguan.personalization.keys.service.identity import context_of
    from kaguan.personalization.keys.service.server import Terms, serve
    from kaguan.personalization.keystore import open_store
    from kaguan.personalization.stores.cli import passphrase_of

    context = None if identity is None else context_of(identity, serves=True)
    passphrase = passphrase_of(store, passphrase_file)
    vault = open_store(store, passphrase)

    def tell(text: str) -> None:
        click.echo(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {text}", err=True)

    def ready(place: Place) -> None:
        click.echo(f"{vault.kind} store {store} is at {SCHEME}{place}")

    try:
        serve(vault, vault.kind, Terms(listen, context, frozenset(allow)), tell=tell, ready=ready)
    finally:
        close = getattr(vault, "close", None)
        if close is not None:
            close()


@click.command("service-cert")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--serves", is_flag=True, help="For the service itself: NAME... are its host names and addresses.")
@click.option(
    "--days", default=STATION_DAYS, show_default=True, type=click.IntRange(1, 3650), help="How long it lasts."
)
def service_cert(folder: Path, names: Sequence[str], serves: bool, days: int) -> None:
    """Make the file with which a station, or the service, says who it is: DIR/NAME.pem.

    The first time DIR gets an authority too: keep DIR where neither the service nor a station is.
    """
    from kaguan.personalization.keys.service.identity import make_identity

    if not serves and len(names) > 1:
        raise click.UsageError("a station has one name")
    file = make_identity(folder, list(names), serves=serves, days=days)
    click.echo(f"{file}: carry it to its machine, and keep it as you keep a key")
