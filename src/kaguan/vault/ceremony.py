"""The key ceremony: how master keys come to be, with a record that everyone may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Random, Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyInfo, Usage


class KeyOrder(NamedTuple):
    """One master key that the ceremony is to make."""

    label: str
    usage: Usage
    algorithm: Algorithm = Algorithm.TDES
    levels: int = 1
    version: int = 1


@dataclass(frozen=True, slots=True)
class CeremonyEntry:
    """One master key made: what is known of it, and the check values of the components."""

    info: KeyInfo
    components: tuple[CheckValue, ...]

    def __str__(self) -> str:
        info = self.info
        parts = " + ".join(str(part) for part in self.components)
        return f"{info.label} {info.version} {info.usage} {info.algorithm}: {parts} = {info.check_value}"


@dataclass(frozen=True, slots=True)
class CeremonyRecord:
    """What happened, without a single key: for signing and keeping."""

    kind: StoreKind
    entries: tuple[CeremonyEntry, ...]

    def __str__(self) -> str:
        return "\n".join((f"{self.kind} key ceremony, {len(self.entries)} keys", *map(str, self.entries)))


def hold_test_ceremony(orders: Iterable[KeyOrder], random: Random) -> tuple[SoftwareVault, CeremonyRecord]:
    """A test vault holding each key of the order, made from two random components, and the record of it.

    Raises:
        KeyPresent: a version of a label is ordered twice.
    """
    vault = SoftwareVault.empty(StoreKind.TEST)
    entries = []
    for label, usage, algorithm, levels, version in orders:
        components = [Secret(random(algorithm.key_size)) for _ in range(2)]
        info = vault.import_components(label, usage, algorithm, components, None, version=version, levels=levels)
        parts = tuple(check_value(component.reveal(), algorithm) for component in components)
        entries.append(CeremonyEntry(info, parts))
    return vault, CeremonyRecord(vault.kind, tuple(entries))
