"""The virtual readers' doors: `kaguan emulate` and `kaguan control`."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType

import click

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.emulator.faults import Faults
from kaguan.emulator.readers.control import ControlSocket, Request, ask, default_path
from kaguan.emulator.readers.desk import AnyReader, Desk
from kaguan.emulator.readers.keys import keys
from kaguan.emulator.readers.reader import TcpReader, VirtualReader
from kaguan.emulator.readers.service import SOCKET_VARIABLE, private_service
from kaguan.emulator.vpcd import DEFAULT_PORT
from kaguan.opening import Places
from kaguan.terminal.options.cli import FAULTS, TRACE, require_apart

QUIT_KEY = "q"
MENDING_SECONDS = 1.0
_FILE = click.Path(dir_okay=False, path_type=Path)
_CONTROL = click.option(
    "--control", type=click.Path(path_type=Path), default=default_path, help="The socket that `kaguan control` uses."
)


@click.command()
@click.argument("cards", metavar="CARD...", nargs=-1, required=True, type=_FILE)
@click.option("--psam", type=_FILE, help="A security module, in the reader after the last card.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the virtual readers, or --tcp, are.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="The first virtual reader's port; then the next.",
)
@click.option("--own-pcscd", is_flag=True, help="Start a pcscd of our own with as many readers as there are cards.")
@click.option(
    "--tcp",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="No PC/SC: listen on this port, and the next ones; 0 for any.",
)
@_CONTROL
@TRACE
@FAULTS
def emulate(
    cards: tuple[Path, ...],
    psam: Path | None,
    host: str,
    port: int,
    own_pcscd: bool,
    tcp: int | None,
    control: Path,
    trace: Path | None,
    faults: Faults,
) -> None:
    """Put card images into virtual readers, where every PC/SC program sees them, until Ctrl-C.

    Each card is in a reader of its own. The images keep what programs change, at once. Keys: a reader's number takes
    its card out or puts it in, q ends; `kaguan control` does the same from elsewhere.
    """
    if own_pcscd and tcp is not None:
        raise click.UsageError("--own-pcscd and --tcp exclude each other")
    paths = [*cards, *([] if psam is None else [psam])]
    require_apart(paths, trace)
    if len({path.resolve() for path in paths}) < len(paths):
        raise click.UsageError("a card is in one reader at a time: an image is named twice")
    with ExitStack() as stack:
        places = stack.enter_context(closing(Places(trace=trace, faults=faults)))
        links = [places.put_image(path, number) for number, path in enumerate(paths)]
        titles = [str(path) for path in paths]
        if tcp is not None:
            readers = _tcp_readers(stack, links, titles, host, tcp)
        else:
            readers = _virtual_readers(stack, links, titles, host, port, own_pcscd=own_pcscd)
        desk = Desk(readers, places.put_image)
        stack.callback(desk.clear)
        desk.do(Request("insert"))
        stack.enter_context(closing(ControlSocket(control, desk.do)))
        _run(desk)
    click.echo("all cards are out")


def _tcp_readers(
    stack: ExitStack, links: Sequence[Link], titles: Sequence[str], host: str, first: int
) -> list[AnyReader]:
    readers: list[AnyReader] = []
    for index, (link, title) in enumerate(zip(links, titles, strict=True)):
        reader = stack.enter_context(closing(TcpReader(link, title, host=host, port=first + index if first else 0)))
        click.echo(f"{index + 1}: {title} at {reader.address[0]}:{reader.address[1]}")
        readers.append(reader)
    return readers


def _virtual_readers(
    stack: ExitStack, links: Sequence[Link], titles: Sequence[str], host: str, first: int, *, own_pcscd: bool
) -> list[AnyReader]:
    ports = [first + index for index in range(len(links))]
    names = [f"{host}:{port}" for port in ports]
    if own_pcscd:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaguan-")))
        service = stack.enter_context(private_service(folder, len(links)))
        ports, names = list(service.ports), list(service.names)
        click.echo(f"export {SOCKET_VARIABLE}={service.socket}")
    readers: list[AnyReader] = []
    for index, (link, title) in enumerate(zip(links, titles, strict=True)):
        readers.append(VirtualReader(link, title, host=host, port=ports[index]))
        click.echo(f"{index + 1}: {title} in {names[index]}")
    return readers


def _run(desk: Desk) -> None:
    """Until q, Ctrl-C, a signal to end, or `kaguan control stop`; lost cards are put in again."""
    look_again = 0.0
    with keys() as pressed, _ends(desk):
        if sys.stdin.isatty():
            click.echo("keys: a reader's number takes its card out or puts it in, q ends")
        while not desk.stopping.is_set():
            key = pressed()
            if time.monotonic() >= look_again:
                look_again = time.monotonic() + MENDING_SECONDS
                for news in desk.look_after():
                    click.echo(news, err=True)
            if key == QUIT_KEY:
                return
            if key.isdecimal() and 1 <= int(key) <= len(desk.readers):
                try:
                    desk.toggle(int(key))
                except KaguanError as error:
                    click.echo(str(error), err=True)
                else:
                    reader = desk.readers[int(key) - 1]
                    click.echo(f"{key}: {reader.title}: {reader.state}")


@contextmanager
def _ends(desk: Desk) -> Iterator[None]:
    """Ctrl-C, a request to terminate and a terminal that hangs up end the run as `stop` does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        desk.stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.group()
def control() -> None:
    """Cards of a running `kaguan emulate`: put in, take out."""


@control.command("list")
@_CONTROL
@click.option("--json", "as_json", is_flag=True, help="Print the readers as JSON.")
def list_readers(control: Path, as_json: bool) -> None:
    """The readers and what they hold."""
    _show(ask(control, Request("list")), as_json=as_json)


@control.command()
@click.argument("reader", type=click.IntRange(1))
@click.argument("card", type=_FILE, required=False)
@_CONTROL
def insert(reader: int, card: Path | None, control: Path) -> None:
    """Put the card in again, or another one in its place."""
    _show(ask(control, Request("insert", reader, "" if card is None else str(card.resolve()))))


@control.command()
@click.argument("reader", type=click.IntRange(1))
@_CONTROL
def remove(reader: int, control: Path) -> None:
    """Take the card out."""
    _show(ask(control, Request("remove", reader)))


@control.command()
@_CONTROL
def stop(control: Path) -> None:
    """End the emulator."""
    ask(control, Request("stop"))


def _show(readers: list[dict[str, object]], *, as_json: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(readers))
        return
    for row in readers:
        click.echo(f"{row['reader']}: {row['card']}: {row['state']}")
