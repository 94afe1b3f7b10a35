"""Key services for tests: in this process on a thread of its own, or as a program that can be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kaguan.personalization.keys.service.address import Place, ServiceStore
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.server import KeyService, Terms
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import BUREAU_USAGES, KeyRef, KeyVault, Usage

LEVELS = (1, 3)
RECORDS, AUDIT = KeyRef("records"), KeyRef("audit")


def filled() -> SoftwareVault:
    """The same keys each time: of every usage, with one level and with three."""
    vault = SoftwareVault.empty(StoreKind.TEST)
    for place, usage in enumerate(Usage):
        if usage in BUREAU_USAGES:
            value = [Secret(bytes([place + 1]) * 32)]
            vault.import_components(usage, usage, Algorithm.AES, value, None, levels=0)
            continue
        for levels in LEVELS:
            value = [Secret(bytes([place + 1]) * 8 + bytes([levels]) * 8)]
            vault.import_components(f"{usage}.{levels}", usage, Algorithm.TDES, value, None, levels=levels)
    vault.import_components("sm4", Usage.LOAD, Algorithm.SM4, [Secret(bytes(range(16)))], None)
    return vault


class Running(NamedTuple):
    """A service at work, and all that it has said."""

    place: Place
    said: list[str]

    def vault(self, identity: Path | None = None) -> RemoteVault:
        """A station's vault."""
        return RemoteVault(ServiceStore(self.place, identity), wait=lambda seconds: None)


@contextmanager
def served(make: Callable[[], KeyVault], terms: Terms) -> Iterator[Running]:
    """The vault that `make` opens, behind a service that runs on a thread while the context lasts."""
    said: list[str] = []
    begun: list[Place | BaseException] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            vault = make()
            async with KeyService(vault, vault.kind, terms, said.append).listening() as place:
                begun.append(place)
                ready.set()
                await ended.wait()
        except BaseException as error:
            begun.append(error)
            ready.set()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), daemon=True)
    thread.start()
    ready.wait(30)
    place = begun[0]
    if isinstance(place, BaseException):
        thread.join(30)
        loop.close()
        raise place
    try:
        yield Running(place, said)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
        loop.close()


def program(*words: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`kaguan keys serve` with these words; it has said that it is ready."""
    command = [sys.executable, "-m", "kaguan", "keys", "serve", *map(str, words)]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert started.stdout is not None
    assert "service:" in started.stdout.readline(), started.stderr and started.stderr.read()
    return started
