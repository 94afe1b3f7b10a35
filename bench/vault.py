"""Card keys per second: from memory, and from a token one by one and in batches; and what else a token does, or a key
service, which is a process of its own on this machine.

The token is SoftHSM in this process: a real module has its own wire and its own rate, and the ratios are what tells.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.command import CommandApdu
from kaguan.personalization.keys.service.client import RemoteVault
from kaguan.personalization.keys.service.identity import make_identity
from kaguan.personalization.keys.token.making import EXCHANGE_LABEL, wrapped
from kaguan.personalization.keys.tokenstore import TokenStore, store_of, token_session
from kaguan.personalization.keystore import passphrase_path
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.pkcs11 import TokenVault
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyRef, KeyVault, Usage
from measure import Figure, best_rate, show

LABEL, PIN = "bench", Secret(b"20260917")
MASTERS = {"TK": (Usage.TRANSPORT, 1), "UK": (Usage.EXTERNAL_AUTHENTICATION, 3), "DLK": (Usage.LOAD, 3)}
ABOVE = (b"990000sh", b"990100sx")
BATCH = 10_000
COMMAND = CommandApdu.of("84 D4 01 00", bytes.fromhex("39F0F0AAFF"))
CHALLENGE = bytes(range(8))


def vaults(folder: Path) -> tuple[SoftwareVault, TokenVault]:
    """The same master keys in memory and in a token of this run's own."""
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    pin = PIN.reveal().decode()
    words = ("--init-token", "--free", "--label", LABEL, "--so-pin", pin, "--pin", pin)
    subprocess.run([shutil.which("softhsm2-util") or "softhsm2-util", *words], check=True, capture_output=True)
    software = SoftwareVault.empty(StoreKind.TEST)
    inside = TokenVault.founded(token_session(TokenStore(LABEL), PIN, writes=True), StoreKind.TEST)
    for label, (usage, levels) in MASTERS.items():
        key, algorithm = os.urandom(16), Algorithm.TDES
        software.import_components(label, usage, algorithm, [Secret(key)], None, levels=levels)
        expected = check_value(key, algorithm)
        inside.unwrap(label, usage, algorithm, wrapped(inside, key), expected, under=EXCHANGE_LABEL, levels=levels)
    return software, inside


@contextmanager
def services(software: SoftwareVault, folder: Path) -> Iterator[dict[str, RemoteVault]]:
    """The vault in memory behind a service of each kind."""
    store = folder / "bench.store"
    store.write_bytes(software.sealed(PIN, os.urandom))
    passphrase_path(store).write_bytes(PIN.reveal())
    service = make_identity(folder / "identities", ["127.0.0.1"], serves=True, days=1)
    station = make_identity(folder / "identities", ["station"], serves=False, days=1)
    places = {
        "behind a service, Unix socket": (f"unix:{folder / 'keys'}", ()),
        "behind a service, TLS 1.3": ("127.0.0.1:0", ("--identity", str(service))),
    }
    running = []
    vaults = {}
    try:
        for name, (place, options) in places.items():
            command = [sys.executable, "-m", "kaguan", "keys", "serve", str(store), "--listen", place, *options]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            running.append(process)
            address = process.stdout.readline().split()[-1]
            identity = f"?identity={station}" if options else ""
            vaults[name] = RemoteVault(store_of(address + identity))
        yield vaults
    finally:
        for vault in vaults.values():
            vault.close()
        for process in running:
            process.terminate()
            process.communicate()


class Bench:
    """Every card is another, as in life."""

    def __init__(self, vault: KeyVault) -> None:
        self.vault = vault
        self.numbers = itertools.count()

    def card_key(self, label: str = "UK") -> KeyRef:
        """The key of the next card."""
        return KeyRef(label).diversified(*ABOVE, next(self.numbers).to_bytes(8, "big"))

    def one(self) -> None:
        """One card's key, named by its check value."""
        self.vault.check_value(self.card_key())

    def lent(self, count: int) -> None:
        """The keys of so many cards, ready to be written."""
        self.vault.prepare([self.card_key() for _ in range(count)])

    def written(self) -> None:
        """One WRITE KEY with a card's key, for one chip after another."""
        chip = KeyRef("TK").diversified(next(self.numbers).to_bytes(8, "big"))
        self.vault.protect(chip, Scheme.PBOC, COMMAND, CHALLENGE, encrypted=True, append=self.card_key())

    def loaded(self) -> None:
        """MAC1 and MAC2 of one card's load."""
        session = self.card_key("DLK").session(CHALLENGE)
        self.vault.mac(session, bytes(15))
        self.vault.mac(session, bytes(18))


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        software, inside = map(Bench, vaults(Path(folder)))
        floor = best_rate(software.one, 1)
        single = best_rate(lambda: inside.lent(1), 1)
        show(
            "card keys, one core",
            [
                Figure("in memory, with check value", floor),
                Figure(
                    "in the token, which keeps it, with check value", best_rate(inside.one, 1, calls_at_once=10), floor
                ),
                Figure("from the token, one a call", single, floor),
                Figure(
                    f"from the token, {BATCH:,} a call",
                    best_rate(lambda: inside.lent(BATCH), BATCH, calls_at_once=1),
                    single,
                ),
            ],
        )
        with services(software.vault, Path(folder)) as remote:
            for title, name in (("a key wrapped for a chip", "written"), ("both MACs of a load", "loaded")):
                memory = best_rate(getattr(software, name), 1)
                token = best_rate(getattr(inside, name), 1, calls_at_once=10)
                behind = [
                    Figure(where, best_rate(getattr(Bench(vault), name), 1, calls_at_once=10), memory)
                    for where, vault in remote.items()
                ]
                show(title, [Figure("in memory", memory), Figure("in the token", token, memory), *behind])
        inside.vault.close()


if __name__ == "__main__":
    main()
