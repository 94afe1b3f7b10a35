"""The bureau's key store on disk: a sealed vault in one file.

A test store's passphrase lies beside it, because nothing that a test store holds is secret; a live store's never does.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from kaguan.apdu.errors import VaultError
from kaguan.card_os.profile import CardProfile
from kaguan.durable import write_whole
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.terminal.cardkeys import FIRST_VERSION, LEVELS, TRANSPORT_LABEL
from kaguan.vault.ceremony import CeremonyRecord, KeyOrder, hold_test_ceremony
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyRef, Usage

_OWNER_ONLY = 0o600


def key_orders(profile: CardProfile) -> list[KeyOrder]:
    """The master keys that cards of this profile are diversified from."""
    return [
        KeyOrder(key.master_label, key.usage, key.algorithm, LEVELS, FIRST_VERSION + key.version)
        for key in profile.keys()  # noqa: SIM118 - no mapping
    ]


def add_factory_key(vault: SoftwareVault) -> None:
    """The vault holds the emulated card factory's transport key."""
    value = Secret(FACTORY_TRANSPORT_KEY)
    vault.import_components(TRANSPORT_LABEL, Usage.TRANSPORT, Algorithm.TDES, [value], None)


def make_test_store(path: Path, profile: CardProfile) -> CeremonyRecord:
    """A new test store with every key of the profile, its passphrase beside it; what the ceremony did."""
    vault, ceremony = hold_test_ceremony(key_orders(profile), secrets.token_bytes)
    add_factory_key(vault)
    passphrase = secrets.token_urlsafe(24)
    # The passphrase first: a store that nobody can open would be worse than a passphrase for nothing.
    write_whole(passphrase_path(path), passphrase.encode() + b"\n", mode=_OWNER_ONLY)
    write_whole(path, vault.sealed(Secret(passphrase.encode()), secrets.token_bytes), mode=_OWNER_ONLY)
    return ceremony


def passphrase_path(store: Path) -> Path:
    """Where a test store's passphrase lies."""
    return store.with_name(store.name + ".passphrase")


def open_store(path: Path, passphrase: Secret | None = None) -> SoftwareVault:
    """The vault in the store, opened with this passphrase or with the one beside it.

    Raises:
        VaultError: no such store, no passphrase, the wrong one, or a live store whose passphrase lies beside it.
    """
    beside = passphrase is None
    try:
        blob = path.read_bytes()
        if passphrase is None:
            passphrase = Secret(passphrase_path(path).read_bytes().strip())
    except FileNotFoundError as error:
        raise VaultError(f"{error.filename}: there is no such file") from None
    vault = SoftwareVault.opened(blob, passphrase)
    if beside and vault.kind is StoreKind.LIVE:
        raise VaultError(f"{path} is a live store and its passphrase lies beside it: move the passphrase away")
    return vault


def require_keys(vault: SoftwareVault, profile: CardProfile) -> None:
    """Nothing happens when the vault has every key that cards of this profile are made with.

    Raises:
        KeyAbsent: one is missing.
    """
    for label in (TRANSPORT_LABEL, *(order.label for order in key_orders(profile))):
        vault.info(KeyRef(label))
