"""`kaguan cms serve`: the web API over a database."""

from __future__ import annotations

from pathlib import Path

import click

from kaguan.apdu.errors import InputError
from kaguan.cms.asking.cli import existing_file
from kaguan.cms.settings import DATABASE_VARIABLE, DEFAULT_DATABASE, is_server
from kaguan.cms.store import open_store


@click.command()
@click.option(
    "--db", "database", envvar=DATABASE_VARIABLE, default=DEFAULT_DATABASE, show_default=True, metavar="FILE|URL"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0: any that is free.")
@click.option("--certificate", type=existing_file, help="PEM file with the certificate, and those above it.")
@click.option("--key", type=existing_file, help="PEM file with its private key.")
@click.option("--trusted-proxy", default="", metavar="ADDRESS", help="The proxy that gives TLS and tells who asks.")
@click.option("--requests-a-minute", type=click.IntRange(1), default=600, show_default=True, help="Of one token.")
def serve(
    database: str,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    trusted_proxy: str,
    requests_a_minute: int,
) -> None:
    """Serve the web API at /api/v1 until Ctrl-C."""
    from kaguan.cms.serving.server import Place, make_server

    if not is_server(database) and not Path(database).is_file():
        raise InputError(f"no database {database}: make one with `kaguan cms init {database}`")
    open_store(database)
    server = make_server(Place(host, port, certificate, key, trusted_proxy), requests_a_minute=requests_a_minute)
    try:
        server.prepare()
    except OSError as error:
        raise InputError(f"cannot serve at {host} port {port}: {error.strerror or error}") from error
    scheme = "https" if certificate else "http"
    click.echo(f"{scheme}://{host}:{server.bind_addr[1]}/api/v1/openapi.json")
    try:
        server.serve()
    except KeyboardInterrupt:
        click.echo("stopped")
    finally:
        server.stop()
