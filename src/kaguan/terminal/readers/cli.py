"""The readers' door: `kaguan reader`."""

from __future__ import annotations

import json

import click

from kaguan.terminal.readers.monitor import holdings, reader_events


@click.group()
def reader() -> None:
    """PC/SC readers: what they hold, what happens at them."""


@reader.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the readers as JSON, one a line.")
def list_readers(as_json: bool) -> None:
    """The connected readers with their numbers, and the cards in them."""
    for row in holdings():
        if as_json:
            click.echo(json.dumps({**row._asdict(), "atr": row.atr.hex().upper()}))
        else:
            held = "empty" if not row.has_card else row.atr.hex(" ").upper() or "a card that is mute"
            held = held if row.answers else "does not answer: is it unplugged?"
            click.echo(f"{row.number} {row.reader}: {held}{' (in use)' if row.in_use else ''}")


@reader.command()
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON, one a line.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long; otherwise at Ctrl-C.")
def watch(as_json: bool, seconds: float | None) -> None:
    """Tell what happens at all readers, first what is there already, until Ctrl-C."""
    try:
        for event in reader_events(timeout_seconds=seconds):
            atr = event.atr.hex(" ").upper()
            if as_json:
                click.echo(
                    json.dumps({"event": event.happening, "reader": event.reader, "atr": event.atr.hex().upper()})
                )
            else:
                click.echo(f"{event.reader}: {event.happening}{': ' + atr if atr else ''}")
    except KeyboardInterrupt:
        click.echo(err=True)
