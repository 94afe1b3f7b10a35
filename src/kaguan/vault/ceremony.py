"""The key ceremony: how master keys come to be, with a record that everyone may read.

A key is dealt to custodians as shares, forgotten, and made again from the shares of as many of them as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kaguan.apdu.errors import VaultError
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Random, Secret
from kaguan.vault.shamir import combine, interpolate, split
from kaguan.vault.share import Share, ShareSet, custodian_name
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyInfo, Usage


class ShareForeign(VaultError):
    """The share is of another ceremony, or was dealt to somebody else."""


class ShareDuplicate(VaultError):
    """One share, or one custodian, twice."""


class TooFewShares(VaultError):
    """More custodians must enter their shares."""


class ShareForged(VaultError):
    """More shares than needed were entered, and they are not all of one key."""


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


def deal(of: ShareSet, custodians: Sequence[str], random: Random) -> tuple[dict[str, Share], CheckValue]:
    """A new key as one share for each custodian, by name, and its check value; the key itself is forgotten.

    Raises:
        ShareDuplicate: two custodians have one name.
        VaultError: a name cannot be one, or there is not one custodian for each share.
    """
    names = [custodian_name(custodian) for custodian in custodians]
    if len(set(names)) < len(names):
        raise ShareDuplicate("two custodians have the same name: nobody gets two shares of a key")
    if len(names) != of.count:
        raise VaultError(f"there are {of.count} shares and {len(names)} custodians")
    key = Secret(random(of.algorithm.key_size))
    values = split(key, of.threshold, of.count, random)
    shares = {name: Share.dealt(of, number, name, values[number]) for number, name in enumerate(names, 1)}
    return shares, check_value(key.reveal(), of.algorithm)


def assembled(entered: Mapping[str, Share]) -> tuple[ShareSet, Secret]:
    """The key of the shares that these custodians have entered, and what it is.

    Raises, in this order:
        ShareForeign: a share of another set, or one that was dealt to another custodian.
        ShareDuplicate: one share entered by two.
        TooFewShares: fewer than the threshold.
        ShareForged: there are more shares than needed, and one does not agree with the others.
    """
    if not entered:
        raise TooFewShares("nobody has entered a share")
    of = next(iter(entered.values())).set
    numbers: dict[int, str] = {}
    for name, share in entered.items():
        if share.set != of:
            raise ShareForeign(f"the share of {name} belongs to set {share.set}, those before it to {of}")
        if share.number in numbers:
            raise ShareDuplicate(f"{name} entered the same share as {numbers[share.number]}")
        if not share.is_of(name):
            raise ShareForeign(f"share {share.number} of set {of} was not dealt to {name}")
        numbers[share.number] = name
    if len(entered) < of.threshold:
        raise TooFewShares(f"set {of} takes {of.threshold} shares, {len(entered)} were entered")
    values = {share.number: share.value for share in entered.values()}
    enough = {number: values[number] for number in sorted(values)[: of.threshold]}
    if any(interpolate(enough, number) != value for number, value in values.items() if number not in enough):
        raise ShareForged(f"the {len(entered)} shares of set {of} are not all of one key: one was forged or miscopied")
    return of, combine(enough)
