"""Custodians of made-up names, with shares and passphrases, for the tests of key stores."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from kaguan.personalization.keys.ceremony import CeremonyPlan, Entered, ceremony_at, hold_ceremony
from kaguan.vault.ceremony import deal
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.record import Entry
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import Share, ShareSet
from kaguan.vault.zone import Zone

NAMES = ("wang", "li", "zhao")
OPEN = Secret(b"open the store")
TIME = "2026-11-01T08:00:00+00:00"


def dealt(
    kind: StoreKind = StoreKind.TEST, zone: Zone = Zone.CARD_MASTERS, threshold: int = 2, names: Sequence[str] = NAMES
) -> tuple[dict[str, Share], CheckValue]:
    """A zone key as shares, by name, and its check value."""
    of = ShareSet(secrets.token_bytes(4), kind, zone.usage, Algorithm.AES, threshold, len(names))
    return deal(of, names, secrets.token_bytes)


def passphrase(name: str) -> Secret:
    """The passphrase of the custodian of this name."""
    return Secret(f"the passphrase of {name}".encode())


def brought(shares: dict[str, Share], value: CheckValue, *names: str) -> dict[str, Entered]:
    """What these custodians bring to the ceremony."""
    return {name: Entered(shares[name], passphrase(name), value) for name in names}


def two() -> dict[str, Secret]:
    """Two custodians with their passphrases."""
    return {name: passphrase(name) for name in NAMES[:2]}


def make_store(
    path: Path,
    zone: Zone = Zone.CARD_MASTERS,
    kind: StoreKind = StoreKind.TEST,
    *,
    activate: bool = True,
    most_uses: int | None = None,
) -> Entry:
    """A store with the zone's key, made by wang and li; or, if it is there, with one key more."""
    shares, value = dealt(kind, zone)
    plan = CeremonyPlan(path, zone.value, most_uses=most_uses, activate=activate)
    with ceremony_at(path):
        return hold_ceremony(plan, brought(shares, value, "wang", "li"), OPEN, time=TIME)
