"""The traces' door: `kaguan trace`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from kaguan.apdu.link import Link
from kaguan.apdu.trace import Divergence, EventKind, TraceEvent, as_tape, compare, jsonl_line
from kaguan.card_os.profile import load_profile
from kaguan.opening import opened
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.options.cli import READER, require_apart
from kaguan.terminal.playback import UnexpectedAnswer
from kaguan.terminal.trace.files import TraceFile, read_trace
from kaguan.terminal.trace.text import Narrator

DIFFERENT = 1

_TRACE = click.Path(dir_okay=False, path_type=Path)
_PROFILE = click.option(
    "--profile", "profile_name", default="ssc-v2", show_default=True, help="Card profile: names of files and fields."
)


@click.group()
def trace() -> None:
    """Traces of cards: show, play again, compare."""


@trace.command()
@click.argument("file", type=_TRACE)
@_PROFILE
@click.option("--output", type=_TRACE, help="Write it to a file instead; .pcap for tshark and Wireshark, .apdu a tape.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON, one a line.")
def show(file: Path, profile_name: str, output: Path | None, as_json: bool) -> None:
    """Show a trace: names of commands, files and fields, and what the answers mean."""
    require_apart([file], output)
    profile = load_profile(profile_name)
    if output is not None:
        written = TraceFile(output, profile)
        try:
            for event in read_trace(file):
                written(event)
        finally:
            written.close()
        return
    narrator = Narrator(profile)
    for event in read_trace(file):
        if as_json:
            click.echo(jsonl_line(event), nl=False)
        else:
            for line in narrator.lines(event):
                click.echo(line)


@trace.command()
@click.argument("file", type=_TRACE)
@click.option("--card", "cards", multiple=True, type=_TRACE, help="A card image; again for the trace's next card.")
@READER
@_PROFILE
def replay(file: Path, cards: tuple[Path, ...], reader: WantedReader | None, profile_name: str) -> None:
    """Send a trace's commands again, to these cards; end with 3 when one answers differently.

    What the trace hides cannot be sent: such commands are left out, and told. To play a trace's card instead, give the
    .jsonl file wherever a command takes --card.
    """
    if not cards and reader is None:
        raise click.UsageError("name a card: --card CARD or --reader NAME")
    as_tape(read_trace(file), file=str(file))
    narrator = Narrator(load_profile(profile_name))
    different = 0
    with opened(cards, reader) as links:
        for event, again in _again(file, links):
            if again is None:
                click.echo(f"{event.command}: left out, the trace hides a part of it")
                continue
            for line in narrator.lines(again):
                click.echo(line)
            if not event.response.matches(again.response.value):
                different += 1
                click.echo(f"{'':18}DIFFERENT: the trace has {event.response}")
    if different:
        raise UnexpectedAnswer(f"{different} answers are not as in the trace")


def _again(file: Path, links: list[Link]) -> Iterator[tuple[TraceEvent, TraceEvent | None]]:
    """Each exchange and reset of the trace, and what came of it now; None where it cannot be repeated."""
    for event in read_trace(file):
        if event.kind not in (EventKind.EXCHANGE, EventKind.RESET):
            continue
        if event.card >= len(links):
            raise click.UsageError(f"the trace speaks to card {event.card}: name {event.card + 1} cards")
        link = links[event.card]
        if event.kind is EventKind.RESET:
            yield event, event._replace(response=event.response.exactly(link.reset()))
        elif event.command.exact is None:
            yield event, None
        else:
            yield event, event._replace(response=event.response.exactly(link.transceive(event.command.exact)))


@trace.command()
@click.argument("left", type=_TRACE)
@click.argument("right", type=_TRACE)
@_PROFILE
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON, one a line.")
def diff(left: Path, right: Path, profile_name: str, as_json: bool) -> None:
    """Show where two traces part; end with 1 when they do. Times, and what is hidden, do not count."""
    ours, theirs = list(read_trace(left)), list(read_trace(right))
    found = False
    told = _told(ours, profile_name), _told(theirs, profile_name)
    for divergence in compare(ours, theirs):
        found = True
        click.echo(json.dumps(_as_json(divergence)) if as_json else "\n".join(_parted(divergence, *told)))
    if found:
        raise SystemExit(DIFFERENT)


def _told(events: list[TraceEvent], profile_name: str) -> list[list[str]]:
    narrator = Narrator(load_profile(profile_name))
    return [list(narrator.lines(event)) for event in events]


def _parted(divergence: Divergence, ours: list[list[str]], theirs: list[list[str]]) -> Iterator[str]:
    yield f"event {divergence.left_number or '-'} | {divergence.right_number or '-'}"
    for sign, number, told in (("-", divergence.left_number, ours), ("+", divergence.right_number, theirs)):
        if number:
            yield from (f"{sign} {line}" for line in told[number - 1])


def _as_json(divergence: Divergence) -> dict[str, object]:
    sides = (("left", divergence.left, divergence.left_number), ("right", divergence.right, divergence.right_number))
    return {
        side: event and {"event": number, "command": str(event.command), "response": str(event.response)}
        for side, event, number in sides
    }
