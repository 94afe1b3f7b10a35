"""The terminal's doors: `kaguan apdu` and `kaguan tape`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.tape import Exchange, Tape, Verdict
from kaguan.emulator.faults import Faults
from kaguan.emulator.luck import DealtRandom
from kaguan.opening import opened
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.options.cli import FAULTS, READER, TRACE, require_apart
from kaguan.terminal.playback import one_apdu, play
from kaguan.terminal.scripts.files import tape_file
from kaguan.terminal.scripts.functions import FUNCTIONS

FROM_INPUT = "-"

RANDOM = click.option(
    "--random",
    "numbers",
    metavar="HEX[,HEX...]",
    callback=lambda _context, _option, text: _random_numbers(text),
    help="The random numbers that emulated cards will need, in this order.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print each exchange as one line of JSON.")


@click.group()
def apdu() -> None:
    """Send commands to a card."""


@apdu.command()
@click.argument("apdus", metavar="APDU...", nargs=-1, required=True)
@click.option("--card", type=click.Path(dir_okay=False, path_type=Path), help="A card image.")
@READER
@RANDOM
@TRACE
@FAULTS
@click.option("--follow", is_flag=True, help="Get the whole answer after 61xx and 6Cxx.")
@AS_JSON
def send(
    apdus: tuple[str, ...],
    card: Path | None,
    reader: WantedReader | None,
    numbers: DealtRandom | None,
    trace: Path | None,
    faults: Faults,
    follow: bool,
    as_json: bool,
) -> None:
    """Send APDUs to one card, in one session, and print what it answers.

    An APDU is HEX or HEX=SW: when the card answers another status word, the command ends with 3. A bare = means 9000,
    X is any digit. The APDU - stands for those that standard input has, one a line. A card image keeps what the
    commands change.
    """
    if (card is None) == (reader is None):
        raise click.UsageError("name one card: --card CARD or --reader NAME")
    typed = [
        (text, None if text == FROM_INPUT else one_apdu(text, file=f"APDU {number}"))
        for number, text in enumerate(apdus, 1)
    ]
    if any(tape is not None and not tape.statements for _, tape in typed):
        raise click.UsageError("an APDU is empty: write it in hex")
    cards = [] if card is None else [card]
    require_apart(cards, trace)
    _require_images(cards, numbers)
    with opened(cards, reader, random=numbers, trace=trace, faults=faults) as links:
        session = [for_conversation(link) for link in links] if follow else links
        for _, tape in typed:
            for step in _typed_in() if tape is None else [tape]:
                for exchange in play(step, session):
                    _print(exchange, as_json=as_json)
    _tell_left(numbers)


@click.group()
def tape() -> None:
    """Run tapes: commands with the answers they must get."""


@tape.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--card",
    "cards",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A card image; again for '.card 1' and so on.",
)
@click.option(
    "--psam",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A security module's image: the card behind the last --card, so '.card 1' where there is one.",
)
@READER
@RANDOM
@TRACE
@FAULTS
@AS_JSON
def run_tape(
    file: Path,
    cards: tuple[Path, ...],
    psam: Path | None,
    reader: WantedReader | None,
    numbers: DealtRandom | None,
    trace: Path | None,
    faults: Faults,
    as_json: bool,
) -> None:
    """Play a tape on cards; end with 3 at the first answer that is not as the tape says.

    The cards are numbered from 0 as they are named; the security module comes behind them, the card in a reader last.
    """
    if psam is not None:
        cards = (*cards, psam)
    if not cards and reader is None:
        raise click.UsageError("name a card: --card CARD or --reader NAME")
    require_apart([file, *cards], trace)
    played = tape_file(file)
    card = 0
    _require_images(cards, numbers)
    with opened(cards, reader, random=numbers, trace=trace, faults=faults) as links:
        for exchange in play(played, links, functions=FUNCTIONS):
            if exchange.card != card and not as_json:
                card = exchange.card
                click.echo(f".card {card}")
            _print(exchange, as_json=as_json, verdict=exchange.verdict)
    _tell_left(numbers)


def _require_images(cards: Sequence[Path], numbers: DealtRandom | None) -> None:
    if numbers is not None and not cards:
        raise click.UsageError("--random is for card images: a real card has its own random numbers")


def _typed_in() -> Iterator[Tape]:
    """The APDUs of standard input, each as soon as its line is there."""
    for number, line in enumerate(sys.stdin, 1):
        yield one_apdu(line, file="standard input", line=number)


def _random_numbers(text: str | None) -> DealtRandom | None:
    if text is None:
        return None
    return DealtRandom([_random_number(at, number.strip()) for at, number in enumerate(text.split(","), 1)])


def _random_number(at: int, text: str) -> bytes:
    try:
        number = bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter(f"number {at}, '{text}', is no whole bytes in hex; commas part the numbers") from None
    if not number:
        raise click.BadParameter(f"number {at} is empty: write numbers in hex, with commas between them")
    return number


def _tell_left(numbers: DealtRandom | None) -> None:
    """Say on standard error how many random numbers no card has needed: perhaps the tape is not what they came from."""
    if numbers is not None and numbers.left:
        click.echo(f"{numbers.left} of the random numbers were not needed", err=True)


def _print(exchange: Exchange, *, as_json: bool, verdict: Verdict | None = None) -> None:
    """One exchange for the reader, at once: he may be a program that waits for it."""
    command, response = exchange.command.hex().upper(), exchange.response.hex().upper()
    if as_json:
        click.echo(json.dumps(_described(exchange)))
        return
    said = f"  # {verdict.value}" if verdict else ""
    click.echo(f"> {command or '.reset'}\n< {response}{said}")


def _described(exchange: Exchange) -> dict[str, object]:
    described: dict[str, object] = {"file": exchange.file, "line": exchange.line, "card": exchange.card}
    if not exchange.command:
        described |= {"reset": True, "atr": exchange.response.hex().upper()}
    else:
        response = ResponseApdu.parse(exchange.response)
        described |= {
            "command": exchange.command.hex().upper(),
            "data": response.data.hex().upper(),
            "sw": str(response.sw),
            "meaning": response.sw.meaning,
        }
    return described | {"verdict": exchange.verdict.value}
