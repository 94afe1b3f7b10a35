"""The bureau's key store on disk: a sealed vault in one file, bare or with the register of a ceremony (`keys`).

A test store's passphrase lies beside it, because nothing that a test store holds is secret; a live store's never does.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from kaguan.apdu.errors import RuleBroken, VaultError
from kaguan.card_os.profile import CardProfile
from kaguan.durable import write_whole
from kaguan.emulator.stock import FACTORY_TRANSPORT_KEY
from kaguan.personalization.keys.opening import is_managed, open_guarded
from kaguan.personalization.keys.service.address import ServiceStore
from kaguan.personalization.keys.tokenstore import StoreAddress, TokenStore, open_token
from kaguan.terminal.cardkeys import FIRST_VERSION, LEVELS, TRANSPORT_LABEL
from kaguan.vault.ceremony import CeremonyRecord, KeyOrder, hold_test_ceremony
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.guard import GuardedVault
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyAbsent, KeyInfo, KeyRef, KeyVault, Usage

if TYPE_CHECKING:
    from kaguan.personalization.keys.service.client import RemoteVault
    from kaguan.vault.pkcs11 import TokenVault  # few machines have the package that it needs

_OWNER_ONLY = 0o600
TEST_REGION = "9901"
"""Regions that begin so do not exist: whatever is made for them is a test."""

RECORDS = KeyRef("PERSO.RECORDS")
"""The key under which the data keys of jobs are sealed."""
AUDIT = KeyRef("PERSO.AUDIT")
"""The key that signs what happened in the bureau."""
BUREAU_KEYS = (
    KeyOrder(RECORDS.label, Usage.RECORDS, Algorithm.AES, levels=0),
    KeyOrder(AUDIT.label, Usage.AUDIT, Algorithm.AES, levels=0),
)
"""What the bureau itself works with, whatever cards it makes."""


def key_orders(profile: CardProfile) -> list[KeyOrder]:
    """The master keys that cards of this profile are diversified from."""
    return [
        KeyOrder(key.master_label, key.usage, key.algorithm, LEVELS, FIRST_VERSION + key.version)
        for key in profile.keys()  # noqa: SIM118 - no mapping
    ]


def store_orders(profile: CardProfile) -> list[KeyOrder]:
    """Every key that a bureau's store draws for cards of this profile: the cards' masters, and the bureau's own."""
    return [*key_orders(profile), *BUREAU_KEYS]


def usual_label(usage: Usage) -> str:
    """What a key for this is called when nobody names it: the bureau's own by their labels, others after their use."""
    return next((order.label for order in BUREAU_KEYS if order.usage is usage), usage.value)


def add_factory_key(vault: SoftwareVault) -> KeyInfo:
    """The vault holds the emulated card factory's transport key.

    Raises:
        VaultError: it is a live store's, which takes no key that everybody knows.
    """
    value = Secret(FACTORY_TRANSPORT_KEY)
    return vault.import_components(TRANSPORT_LABEL, Usage.TRANSPORT, Algorithm.TDES, [value], None)


def make_test_store(path: Path, profile: CardProfile) -> CeremonyRecord:
    """A new test store with the keys of profile and bureau, its passphrase beside it; what the ceremony did."""
    vault, ceremony = hold_test_ceremony(store_orders(profile), secrets.token_bytes)
    add_factory_key(vault)
    passphrase = secrets.token_urlsafe(24)
    # The passphrase first: a store that nobody can open would be worse than a passphrase for nothing.
    write_whole(passphrase_path(path), passphrase.encode() + b"\n", mode=_OWNER_ONLY)
    write_whole(path, vault.sealed(Secret(passphrase.encode()), secrets.token_bytes), mode=_OWNER_ONLY)
    return ceremony


def passphrase_path(store: Path) -> Path:
    """Where a test store's passphrase lies."""
    return store.with_name(store.name + ".passphrase")


OpenVault: TypeAlias = "SoftwareVault | GuardedVault | TokenVault | RemoteVault"


def open_store(store: StoreAddress, passphrase: Secret | None = None, *, attended: bool = False) -> OpenVault:
    """The vault in the store: a token's with this PIN or its own file's, a file's with this passphrase or the one
    beside it, guarded when it has a register; or the one behind a key service, which takes none.

    `attended` says that somebody has just typed the PIN of the token.
    Raises:
        VaultError: no such store, no passphrase, the wrong one, a register that was tampered with, or a live store
            whose passphrase lies beside it. Of tokens: see `open_token`, of services: `RemoteVault`.
    """
    if isinstance(store, ServiceStore):
        from kaguan.personalization.keys.service.client import RemoteVault  # noqa: PLC0415 - most stores are files

        return RemoteVault(store)
    if isinstance(store, TokenStore):
        return open_token(store, passphrase, attended=attended)
    return _open_file(store, passphrase)


@contextmanager
def opened_store(store: StoreAddress, passphrase: Secret | None = None) -> Iterator[OpenVault]:
    """The vault in the store, as `open_store`; afterwards what it reserved and did not use has gone back."""
    vault = open_store(store, passphrase)
    try:
        yield vault
    finally:
        if isinstance(vault, GuardedVault):
            vault.close()


def _open_file(path: Path, passphrase: Secret | None) -> SoftwareVault | GuardedVault:
    beside = passphrase is None
    try:
        managed = is_managed(path)
        if passphrase is None:
            passphrase = Secret(passphrase_path(path).read_bytes().strip())
    except FileNotFoundError as error:
        raise VaultError(f"{error.filename}: there is no such file") from None
    vault = open_guarded(path, passphrase) if managed else SoftwareVault.opened(path.read_bytes(), passphrase)
    if beside and vault.kind is StoreKind.LIVE:
        raise VaultError(f"{path} is a live store and its passphrase lies beside it: move the passphrase away")
    return vault


def require_kind(kind: StoreKind, region: str) -> None:
    """Nothing happens when these keys may work with cards of this region: test keys for tests, live keys for people.

    Raises:
        RuleBroken: the one or the other is for real.
    """
    wanted = StoreKind.TEST if region.startswith(TEST_REGION) else StoreKind.LIVE
    if kind is not wanted:
        raise RuleBroken(
            f"cards of region {region} are {wanted} and the key store is {kind}: test keys never work with cards of "
            "people, nor live keys with test cards; name the right store"
        )


@runtime_checkable
class Kinded(Protocol):
    """A vault that says whether its keys are real."""

    kind: StoreKind


def require_fitting(vault: KeyVault, region: str) -> None:
    """Nothing happens when the vault's keys may work with cards of this region; a security module does not tell.

    Raises:
        RuleBroken: as `require_kind`.
    """
    if isinstance(vault, Kinded):
        require_kind(vault.kind, region)


def require_keys(vault: KeyVault, profile: CardProfile) -> None:
    """Nothing happens when the vault has every key that cards of this profile are made with.

    Raises:
        KeyAbsent: one is missing.
    """
    for label in (TRANSPORT_LABEL, *(order.label for order in key_orders(profile))):
        vault.info(KeyRef(label))
    require_bureau_keys(vault)


def require_bureau_keys(vault: KeyVault) -> None:
    """Nothing happens when the vault has the bureau's own keys.

    Raises:
        KeyAbsent: one is missing, as in stores that were made before there were such keys.
    """
    for order in BUREAU_KEYS:
        try:
            vault.info(KeyRef(order.label))
        except KeyAbsent as error:
            raise KeyAbsent(
                f"{error}: the store was made before the bureau had keys of its own. Add them: 'kaguan keys generate "
                "STORE --bureau', for a token 'kaguan keys token make'; a job's own test store is made anew"
            ) from None
