"""The checks. Each looks at one thing and, when it is missing, names one command."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from kaguan.apdu.errors import KaguanError, VaultError
from kaguan.emulator.readers.service import ServiceMissing, driver_file, pcscd
from kaguan.personalization.keys.tokenstore import MODULE, module_path
from kaguan.terminal.pcsc import reader_names

_BEYOND_PATH = (
    "/usr/sbin:/usr/local/sbin:/usr/lib/postgresql/17/bin:/usr/lib/postgresql/16/bin:/usr/lib/postgresql/15/bin"
)
_DEFAULT_SOCKET = "/run/pcscd/pcscd.comm"
_LEAST_PYTHON = (3, 11)
_ASKING_SECONDS = 20


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "ok"
    MISSING = "missing"


class Finding(NamedTuple):
    """What was found; `remedy` is the command that mends what is missing."""

    name: str
    purpose: str
    verdict: Verdict
    detail: str
    remedy: str = ""


class Missing(Exception):
    """It is not there: what was seen, and the command that mends it."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


class Check(NamedTuple):
    """One thing to look at. `look` says what is there, or raises Missing."""

    name: str
    purpose: str
    look: Callable[[], str]


def examine() -> Iterator[Finding]:
    """Every check's finding, in turn."""
    for check in CHECKS:
        try:
            yield Finding(check.name, check.purpose, Verdict.GOOD, check.look())
        except Missing as missing:
            yield Finding(check.name, check.purpose, Verdict.MISSING, missing.detail, missing.remedy)


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _LEAST_PYTHON:
        raise Missing(f"this is {version}", "apt-get install python3.11")
    return version


def _program(name: str, package: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_BEYOND_PATH}")
    if path is None:
        raise Missing(f"{name} is not installed", f"apt-get install {package}")
    return path


def _pcscd_runs() -> str:
    address = os.environ.get("PCSCLITE_CSOCK_NAME", _DEFAULT_SOCKET)
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        try:
            connection.connect(address)
        except PermissionError:
            raise Missing(f"no right to {address}", "adduser $USER pcscd, then log in again") from None
        except OSError:
            remedy = "systemctl start pcscd" if Path("/run/systemd/system").exists() else "pcscd"
            raise Missing(
                f"nobody answers at {address}", f"{remedy}, or 'kaguan emulate --own-pcscd' for emulated cards"
            ) from None
    return address


def _of_service(find: Callable[[], object], package: str) -> str:
    """What `kaguan emulate --own-pcscd` would find."""
    try:
        return str(find())
    except ServiceMissing as missing:
        raise Missing(str(missing).partition(":")[0], f"apt-get install {package}") from None


def _service_folder() -> str:
    folder = Path("/run/pcscd")
    if not folder.exists() and os.geteuid():
        raise Missing(f"{folder} is not there, and only root can make it", f"sudo mkdir -p {folder}")
    return str(folder)


def _module(name: str, remedy: str) -> str:
    if importlib.util.find_spec(name) is None:
        raise Missing(f"Python's {name} is not installed", remedy)
    return f"{name} can be imported"


def _token_library() -> str:
    """The PKCS#11 library that a token without `module-path` is spoken to with, loaded once to see that it is one."""
    try:
        path = module_path()
    except VaultError:
        raise Missing("no PKCS#11 library is known here", f"apt-get install softhsm2, or {_NAME_MODULE}") from None
    if not path.exists():
        raise Missing(f"{MODULE} names {path}, which is not there", f"unset {MODULE}, or {_NAME_MODULE}")
    try:
        ctypes.CDLL(str(path)).C_GetFunctionList  # noqa: B018 - whether it has one
    except (OSError, AttributeError):
        raise Missing(f"{path} is no PKCS#11 library that works here", _NAME_MODULE) from None
    return str(path)


def _compiler() -> str:
    if importlib.util.find_spec("smartcard") is not None:
        return "not needed: pyscard is installed"
    gcc = shutil.which("gcc")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    lite = Path("/usr/include/PCSC/winscard.h")
    absent = [
        package
        for package, there in (("gcc", gcc), ("python3-dev", headers.exists()), ("libpcsclite-dev", lite.exists()))
        if not there
    ]
    if absent:
        raise Missing(f"pyscard cannot be built without {', '.join(absent)}", f"apt-get install {' '.join(absent)}")
    return f"{gcc}, Python's and PC/SC's headers"


def _readers() -> str:
    try:
        return ", ".join(reader_names()) or "none is connected"
    except KaguanError as error:
        raise Missing(str(error).partition(":")[0], "mend the lines above") from None


def _fonts() -> str:
    listing = shutil.which("fc-list")
    found = ""
    if listing is not None:
        found = subprocess.run(  # noqa: S603 - our own words
            [listing, ":lang=zh-cn", "family"], capture_output=True, text=True, check=False, timeout=_ASKING_SECONDS
        ).stdout.strip()
    if not found:
        raise Missing("no font has Chinese characters", "apt-get install fontconfig fonts-noto-cjk")
    return f"{len(found.splitlines())} with Chinese characters"


_NAME_MODULE = f"export {MODULE}=/the/path/of/your/module.so"
_PYSCARD = "apt-get install libpcsclite-dev python3-dev gcc && pip install 'kaguan[pcsc]'"

CHECKS: tuple[Check, ...] = (
    Check("Python", "everything", _python),
    Check("pyscard", "cards in readers", lambda: _module("smartcard", _PYSCARD)),
    Check("compiler", "building pyscard", _compiler),
    Check("pcscd", "cards in readers", lambda: _of_service(pcscd, "pcscd")),
    Check("pcscd runs", "cards in readers", _pcscd_runs),
    Check("readers", "cards in readers", _readers),
    Check("vpcd", "emulated cards in readers", lambda: _of_service(driver_file, "vsmartcard-vpcd")),
    Check("/run/pcscd", "a pcscd of one's own", _service_folder),
    Check("tshark", "looking at captures", lambda: _program("tshark", "tshark")),
    Check("opensc-tool", "other people's card programs", lambda: _program("opensc-tool", "opensc")),
    Check("scriptor", "other people's card programs", lambda: _program("scriptor", "pcsc-tools")),
    Check("python-pkcs11", "keys in tokens", lambda: _module("pkcs11", "pip install 'kaguan[hsm]'")),
    Check("token library", "keys in tokens", _token_library),
    Check("Django", "card management", lambda: _module("django", "pip install 'kaguan[cms]'")),
    Check("PostgreSQL", "card management for many", lambda: _program("postgres", "postgresql")),
    Check("fonts", "printing Chinese names", _fonts),
)
