"""A PC/SC service of one's own, with two virtual readers and nobody else's programs.

It listens on a socket in a private folder, handed over as systemd hands sockets to services, so that it runs beside
the machine's own service and needs no rights. Its virtual readers wait for cards on two free ports.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from outside.programs import need

NAME = "Kaguan Test"
VPCD_PACKAGE = Path("/etc/reader.conf.d/vpcd")
SERVICE_FOLDER = Path("/run/pcscd")
STOPPING_SECONDS = 5

HAND_OVER = """
import os, sys
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the program named, with the socket numbered where systemd would have put it."""


class Readers(NamedTuple):
    """The virtual readers: `names[n]` takes cards on `ports[n]`."""

    names: tuple[str, str]
    ports: tuple[int, int]
    socket: Path


@contextmanager
def private_readers(folder: Path) -> Iterator[Readers]:
    """The service runs while the context lasts."""
    port = _two_free_ports()
    address, configuration, log = folder / "pcscd.comm", folder / "readers", folder / "pcscd.log"
    configuration.mkdir()
    (configuration / "vpcd").write_text(
        f'FRIENDLYNAME "{NAME}"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {_driver()}\nCHANNELID 0x{port:X}\n'
    )
    _make_service_folder()
    with closing(socket.socket(socket.AF_UNIX)) as listener, log.open("w") as output:
        listener.bind(str(address))
        listener.listen()
        number = listener.fileno()
        service = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(number), need("pcscd"), "--foreground", "--config", configuration],
            pass_fds=[number],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Readers((f"{NAME} 00 00", f"{NAME} 00 01"), (port, port + 1), address)
        assert service.poll() is None, log.read_text()
    finally:
        service.terminate()
        try:
            service.wait(STOPPING_SECONDS)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()


def _driver() -> str:
    """Where this architecture's driver of the virtual readers is."""
    if not VPCD_PACKAGE.exists():
        need("vsmartcard-vpcd")
    found = re.search(r"^LIBPATH\s+(\S+)", VPCD_PACKAGE.read_text(), flags=re.MULTILINE)
    assert found, f"{VPCD_PACKAGE} names no driver"
    return found.group(1)


def _make_service_folder() -> None:
    """pcscd insists on its folder, though it puts nothing there that we need."""
    try:
        SERVICE_FOLDER.mkdir(exist_ok=True)
    except PermissionError:
        pytest.skip(f"pcscd needs the folder {SERVICE_FOLDER}, which only root can make")


def _two_free_ports() -> int:
    """The first of two neighbouring ports that nobody uses."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def environment(readers: Readers) -> dict[str, str]:
    """The environment in which programs find these readers."""
    return {**os.environ, "PCSCLITE_CSOCK_NAME": str(readers.socket)}
