"""The ministry's door: `kaguan ministry`, its calls one command each, and the service for web pages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from kaguan.apdu.errors import InputError
from kaguan.apdu.link import Link
from kaguan.emulator.faults import Faults
from kaguan.opening import Places
from kaguan.terminal.consent import WantedReader
from kaguan.terminal.ministry.calls import CALLS, STEP, Answer, Call
from kaguan.terminal.ministry.hsm import Hsm, call_with_hsm
from kaguan.terminal.ministry.pinpad import AskingPinPad, FilePinPad, PinPad
from kaguan.terminal.ministry.settings import Settings, default_settings, parse_settings
from kaguan.terminal.ministry.slot import Slot
from kaguan.terminal.ministry.terminal import MinistryTerminal
from kaguan.terminal.options.cli import FAULTS, PSAM_READER, READER, TRACE, require_apart

REFUSED = 3
WITHOUT_ORIGIN = "-"
WITHOUT_WEBSOCKETS = "the service needs the package websockets: pip install 'kaguan[service]'"

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_IMAGE = click.Path(dir_okay=False, path_type=Path)
_PARAMETER_HELP = {
    "iType": "1 contact, 2 contactless, 3 and 4 either",
    "iAuthType": "1 the PIN first, 2 a key first",
    "pCardInfo": "识别码|卡号|",
    "pFileAddr": "SSSEEF05|01|07|$DF04EF08:01$",
    "pWriteData": "the values in the places of the tags",
    "pPayInfo": "0.1|0.2|20240101120000|",
    "pKey": "what the security module answered",
}


class Wanted(NamedTuple):
    """The terminal that the options describe."""

    card: Path | None
    reader: WantedReader | None
    psam: Path | None
    psam_reader: WantedReader | None
    pin_file: Path | None
    pin_seconds: float
    settings: Settings
    device: str
    trace: Path | None
    faults: Faults


def takes_terminal(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a terminal, and call it with what they describe."""

    @wraps(command)
    def take(
        *,
        card: Path | None,
        reader: WantedReader | None,
        settings_file: Path | None,
        faults: Faults,
        **values: Any,
    ) -> None:
        if (card is None) == (reader is None):
            raise click.UsageError("name one card: --card CARD or --reader NAME")
        own = {name: values.pop(name) for name in ("psam", "psam_reader", "pin_file", "pin_seconds", "device", "trace")}
        if own["psam"] is not None and own["psam_reader"] is not None:
            raise click.UsageError("name one security module: --psam CARD or --psam-reader NAME")
        settings = _settings(settings_file)
        command(Wanted(card, reader, settings=settings, faults=faults, **own), **values)

    for option in reversed(_OPTIONS):
        take = option(take)
    return take


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--card", type=_IMAGE, help="A card image."),
    READER,
    click.option("--psam", type=_IMAGE, help="The image of the terminal's security module."),
    PSAM_READER,
    click.option(
        "--pin-file", type=_IMAGE, help="PINs, one a line: the current one, the new one. Else they are asked."
    ),
    click.option("--pin-seconds", default=0.0, metavar="S", help="How long to wait for the PIN file to come."),
    click.option("--settings", "settings_file", type=_FILE, help="What the site sets otherwise; see docs/ministry.md."),
    click.option("--device", default="", help="终端设备号."),
    TRACE,
    FAULTS,
)


@click.group()
def ministry() -> None:
    """The ministry's terminal calls: a number, and what stands in pOut.

    A negative number ends the command with 3.
    """


def _command(call: Call) -> click.Command:
    """The call as a command, its parameters in their order."""

    @takes_terminal
    def run(wanted: Wanted, *, store: Path | None = None, passphrase_file: Path | None = None, **given: Any) -> None:
        with _terminal(wanted) as terminal:
            values = [given[name.lower()] for name in call.parameters]
            if store is None:
                answer: Answer = getattr(terminal(), call.name)(*values)
            else:
                answer = call_with_hsm(terminal(), _hsm(store, passphrase_file, wanted.settings), call.name, *values)
        click.echo(int(answer.number))
        click.echo(answer.out)
        if answer.number < 0:
            raise SystemExit(REFUSED)

    command = click.command(call.name, help=getattr(MinistryTerminal, call.name).__doc__)(run)
    for name, kind in call.parameters.items():
        command.params.append(click.Argument([name.lower()], type=kind, metavar=name))
    if STEP not in call.name:
        command.params += _WITH_HSM
    hints = "; ".join(f"{name}: {_PARAMETER_HELP[name]}" for name in call.parameters)
    command.epilog = hints
    return command


_WITH_HSM = [
    click.Option(["--keys", "store"], type=_FILE, help="A key store: it stands for the authority's security module."),
    click.Option(["--passphrase-file"], type=_FILE, help="File with the key store's passphrase."),
]

for _call in CALLS.values():
    ministry.add_command(_command(_call))


@ministry.command("serve")
@click.option("--port", default=0, show_default=True, help="The port on loopback; 0 is any.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    required=True,
    metavar="ORIGIN",
    help="An origin whose pages may call, such as https://hall.example; - is a program that names none.",
)
@takes_terminal
def serve_pages(wanted: Wanted, *, port: int, origins: tuple[str, ...]) -> None:
    """Serve web pages on this machine: JSON over a WebSocket, until Ctrl-C.

    PINs are asked for here, where the service runs, or come from --pin-file.
    """
    try:
        from kaguan.terminal.ministry.service import Service
    except ImportError:
        raise InputError(WITHOUT_WEBSOCKETS) from None
    allowed = [None if origin == WITHOUT_ORIGIN else origin for origin in origins]
    with _terminal(wanted) as terminal:
        asyncio.run(Service(terminal, allowed).run(port, lambda address: click.echo(f"serving {address}")))


@contextmanager
def _terminal(wanted: Wanted) -> Iterator[Callable[[], MinistryTerminal]]:
    """Terminals at the same card, one for each who calls."""
    require_apart([wanted.card, wanted.psam, wanted.pin_file], wanted.trace)
    with closing(Places(trace=wanted.trace, faults=wanted.faults)) as places:
        card = _placed(places, wanted.card, wanted.reader, 0)
        psam = _placed(places, wanted.psam, wanted.psam_reader, 1)
        assert card is not None  # noqa: S101 - the options were checked
        pin_pad = _pin_pad(wanted)
        yield lambda: MinistryTerminal(card, psam, pin_pad, settings=wanted.settings, device=wanted.device)


def _placed(places: Places, image: Path | None, reader: WantedReader | None, number: int) -> Link | None:
    if image is not None:
        return places.put_image(image, number)
    return None if reader is None else Slot(lambda: places.put_reader(reader, number))


def _pin_pad(wanted: Wanted) -> PinPad:
    if wanted.pin_file is not None:
        return FilePinPad(wanted.pin_file, wait_seconds=wanted.pin_seconds)
    return AskingPinPad(_prompted)


def _prompted(what: str) -> str | None:
    try:
        text: str = click.prompt(what, hide_input=True, err=True)
    except click.Abort:
        return None
    return text


def _settings(file: Path | None) -> Settings:
    if file is None:
        return default_settings()
    return parse_settings(file.read_text(encoding="utf-8"), file=os.fspath(file))


def _hsm(store: Path, passphrase_file: Path | None, settings: Settings) -> Hsm:
    from kaguan.personalization.keystore import open_store
    from kaguan.personalization.stores.cli import passphrase_of

    return Hsm(open_store(store, passphrase_of(store, passphrase_file)), settings)
