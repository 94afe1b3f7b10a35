"""A PC/SC service of one's own: virtual readers beside, or without, the machine's own pcscd.

It listens on a socket in a private folder, handed over as systemd hands sockets to services; programs find it by the
environment variable PCSCLITE_CSOCK_NAME. One driver file has two slots, and pcscd must not load one file twice: each
further pair of readers has a copy of it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import LinkError

READER_NAME = "Kaguan"
MOST_READERS = 16
SOCKET_VARIABLE = "PCSCLITE_CSOCK_NAME"
DRIVER_SETTINGS = Path("/etc/reader.conf.d/vpcd")
SERVICE_FOLDER = Path("/run/pcscd")
ADDRESS, LOG = "pcscd.comm", "pcscd.log"
PACKAGES = "apt-get install pcscd vsmartcard-vpcd"

_SLOTS = 2
_STARTING_SECONDS, _STOPPING_SECONDS = 10.0, 5.0
_BEYOND_PATH = "/usr/sbin:/usr/local/sbin"

_HAND_OVER = """
import ctypes, os, signal, sys
END_WITH_PARENT = 1
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGTERM)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes the program named, with the socket numbered where systemd would have put it; it ends when we are killed."""


class ServiceMissing(LinkError):
    """pcscd or its driver of virtual readers is not installed, or does not start."""


class Service(NamedTuple):
    """A running service: `names[n]` takes cards on `ports[n]`; PC/SC programs need `socket` in SOCKET_VARIABLE; `pid`
    is the service's process."""

    names: tuple[str, ...]
    ports: tuple[int, ...]
    socket: Path
    pid: int


@contextmanager
def private_service(folder: Path, readers: int = _SLOTS) -> Iterator[Service]:
    """The service runs while the context lasts, with so many empty readers; the folder must be empty.

    Raises:
        ServiceMissing: it is not installed, or does not start.
    """
    if not 1 <= readers <= MOST_READERS:
        raise ServiceMissing(f"pcscd has at most {MOST_READERS} readers, not {readers}")
    program, driver = pcscd(), driver_file()
    settings = folder / "readers"
    settings.mkdir()
    ports = [_settled(folder, settings, driver, pair) for pair in range((readers + _SLOTS - 1) // _SLOTS)]
    every = tuple(port + slot for port in ports for slot in range(_SLOTS))[:readers]
    names = tuple(f"{_friendly(pair)} 00 {slot:02X}" for pair in range(len(ports)) for slot in range(_SLOTS))[:readers]
    with running_service(folder, settings, program) as process:
        _wait_until_ready(process, ports, folder / LOG)
        yield Service(names, every, folder / ADDRESS, process.pid)


@contextmanager
def running_service(folder: Path, settings: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """This pcscd runs with these settings while the context lasts; its socket and its log are in the folder.

    Raises:
        ServiceMissing: it lacks its own folder.
    """
    _make_service_folder()
    with closing(socket.socket(socket.AF_UNIX)) as listener, (folder / LOG).open("w") as output:
        listener.bind(str(folder / ADDRESS))
        listener.listen()
        number = listener.fileno()
        words = [sys.executable, "-c", _HAND_OVER, str(number), program, "--foreground", "--config", str(settings)]
        # A signal to us, such as Ctrl-C, is for us to pass on, after the cards have been taken out.
        process = subprocess.Popen(  # noqa: S603 - our own words
            words, pass_fds=[number], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        _stop(process)


def pcscd() -> str:
    """The service's program.

    Raises:
        ServiceMissing: it is not installed.
    """
    program = shutil.which("pcscd", path=f"{os.environ.get('PATH', '')}:{_BEYOND_PATH}")
    if program is None:
        raise ServiceMissing(f"pcscd is not installed: {PACKAGES}")
    return program


def driver_file() -> Path:
    """The driver of virtual readers, where its package says that this machine's architecture has it.

    Raises:
        ServiceMissing: it is not installed.
    """
    try:
        found = re.search(r"^LIBPATH\s+(\S+)", DRIVER_SETTINGS.read_text(), flags=re.MULTILINE)
    except OSError:
        found = None
    if found is None or not Path(found.group(1)).exists():
        raise ServiceMissing(f"the driver of virtual readers is not installed: {PACKAGES}")
    return Path(found.group(1))


def _settled(folder: Path, settings: Path, driver: Path, pair: int) -> int:
    """The first port of this pair of readers, once pcscd's settings name them."""
    copy = folder / f"driver{pair}.so"
    shutil.copyfile(driver, copy)
    port = _free_ports()
    (settings / f"reader{pair}").write_text(
        f'FRIENDLYNAME "{_friendly(pair)}"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {copy}\nCHANNELID 0x{port:X}\n'
    )
    return port


def _friendly(pair: int) -> str:
    return f"{READER_NAME} {pair + 1}"


def _make_service_folder() -> None:
    """pcscd insists on its folder, though it puts nothing there that we need."""
    try:
        SERVICE_FOLDER.mkdir(exist_ok=True)
    except PermissionError:
        raise ServiceMissing(f"pcscd needs the folder {SERVICE_FOLDER}: make it once, as root") from None


def _free_ports() -> int:
    """The first of two neighbouring ports that nobody uses."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _wait_until_ready(process: subprocess.Popen[bytes], ports: list[int], log: Path) -> None:
    """Every pair of readers listens. Asking costs nothing: a card that comes and goes at once is no card."""
    give_up = time.monotonic() + _STARTING_SECONDS
    for port in ports:
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise ServiceMissing(f"pcscd does not start: {log.read_text(errors='replace').strip()[-500:]}")
            time.sleep(0.02)


def _listens(port: int) -> bool:
    """Whether somebody listens on the port, found without connecting."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        if any(row.split()[1].endswith(f":{wanted}") and row.split()[3] == "0A" for row in rows):
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
