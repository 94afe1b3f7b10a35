"""The ceremony on disk: custodians enter their shares, all say the same check value, and the key is in the store."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kaguan.apdu.errors import NeedsSecondPerson, VaultError
from kaguan.durable import locked, write_whole
from kaguan.personalization.keys.opening import open_vault
from kaguan.personalization.keys.storefile import Changes, KeyRow, StoreFile, lock_path
from kaguan.vault.ceremony import assembled
from kaguan.vault.checkvalue import check_value
from kaguan.vault.custodian import Custodian, Signer, enrol
from kaguan.vault.guard import KeyState
from kaguan.vault.record import LEAST_PEOPLE, Entry, next_entry
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import Share, ShareSet, custodian_name
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import (
    BUREAU_USAGES,
    CheckValueMismatch,
    KeyInfo,
    KeyPresent,
    KeyRef,
    UsageForbidden,
    WrongPassphrase,
)
from kaguan.vault.zone import is_zone_key

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Entered:
    """What one custodian brings: the share, the own passphrase, and the check value on the sheet."""

    share: Share
    passphrase: Secret
    check_value: CheckValue


@dataclass(frozen=True, slots=True)
class CeremonyPlan:
    """Which key of which store comes to be. Keys of zones and of the bureau have no `levels`."""

    store: Path
    label: str
    version: int = 1
    levels: int = 1
    most_uses: int | None = None
    activate: bool = False


@contextmanager
def ceremony_at(path: Path) -> Iterator[None]:
    """While the context lasts nobody else stands at this store.

    Raises:
        InUse: somebody does.
    """
    with locked(lock_path(path), f"the key store {path}"):
        yield


def hold_ceremony(
    plan: CeremonyPlan,
    entered: Mapping[str, Entered],
    store_passphrase: Secret,
    *,
    time: str,
    beside: Path | None = None,
) -> Entry:
    """The key is in the store, new or old, and the record says who made it. Only within `ceremony_at`.

    With `beside` a new test store's passphrase is written there, before the store exists.

    Raises, in this order; nothing is stored then:
        ShareForeign, ShareDuplicate, TooFewShares, ShareForged: see `assembled`.
        CheckValueMismatch: somebody's sheet has another check value.
        NeedsSecondPerson, WrongPassphrase, VaultError: the people, or the passphrases, are not different ones.
        UsageForbidden: live shares for a test store, or the other way round.
        KeyPresent: the store has had that label and version.
    """
    people = {custodian_name(name): what for name, what in entered.items()}
    of, key = assembled({name: what.share for name, what in people.items()})
    value = check_value(key.reveal(), of.algorithm)
    for name, what in people.items():
        if what.check_value != value:
            raise CheckValueMismatch(
                f"the shares make check value {value}, the sheet of {name} says {what.check_value}: nothing was stored"
            )
    _require_own_passphrases(people, store_passphrase)
    levels = 0 if is_zone_key(of.usage) or of.usage in BUREAU_USAGES else plan.levels
    info = KeyInfo(plan.label, plan.version, of.algorithm, of.usage, value, levels)
    if plan.store.exists():
        with StoreFile(plan.store) as store:
            return _join(store, plan, of, info, key, people, store_passphrase, time)
    vault = SoftwareVault.empty(of.kind).with_tags(secrets.token_bytes)
    vault.take(info, key)
    signers = [enrol(name, what.passphrase, of.kind, secrets.token_bytes) for name, what in people.items()]
    entry = _entry(None, plan, of, info, people, signers, signers, secrets.token_hex(8).upper(), time)
    if beside is not None:
        write_whole(beside, store_passphrase.reveal() + b"\n", mode=_OWNER_ONLY)
    StoreFile.create(
        plan.store, of.kind, entry.store, _changes(entry, plan, info, vault, store_passphrase, signers), vault.tag
    )
    return entry


def _join(
    store: StoreFile,
    plan: CeremonyPlan,
    of: ShareSet,
    info: KeyInfo,
    key: Secret,
    people: Mapping[str, Entered],
    store_passphrase: Secret,
    time: str,
) -> Entry:
    """The key joins those that the store has; two of its own custodians are among the people."""
    vault = open_vault(store, store_passphrase)
    if vault.kind is not of.kind:
        raise UsageForbidden(f"these are shares of a {of.kind} key and this is a {vault.kind} store: they never meet")
    if any(row.name == (info.label, info.version) for row in store.rows()):
        raise KeyPresent(f"{store.path} has had a key {KeyRef(info.label, info.version)} before: use the next version")
    known = {custodian.name: custodian for custodian in store.custodians()}
    old = [known[name].present(what.passphrase) for name, what in people.items() if name in known]
    if len(old) < LEAST_PEOPLE:
        raise NeedsSecondPerson(f"two custodians whom {store.path} knows must be at the ceremony, {len(old)} are")
    for name, what in people.items():
        if name not in known:
            _require_nobodys(what.passphrase, name, known.values())
    new = [
        enrol(name, what.passphrase, vault.kind, secrets.token_bytes)
        for name, what in people.items()
        if name not in known
    ]
    vault.take(info, key)
    entry = _entry(store.record()[-1], plan, of, info, people, [*old, *new], new, store.store_id, time)
    store.commit(_changes(entry, plan, info, vault, store_passphrase, new), vault.tag)
    return entry


def _entry(
    last: Entry | None,
    plan: CeremonyPlan,
    of: ShareSet,
    info: KeyInfo,
    people: Mapping[str, Entered],
    signers: list[Signer],
    new: list[Signer],
    store_id: str,
    time: str,
) -> Entry:
    about = {
        "kind": of.kind.value,
        "keys": [key_text(info)],
        "state": _state(plan).value,
        "most_uses": plan.most_uses,
        "set": of.number.hex().upper(),
        "shares": f"{of.threshold} of {of.count}",
        "sheets": {name: what.share.sheet_number for name, what in people.items()},
    }
    new_people = [signer.custodian for signer in new]
    return next_entry(last, time=time, store=store_id, step="ceremony", about=about, people=signers, new=new_people)


def _changes(
    entry: Entry, plan: CeremonyPlan, info: KeyInfo, vault: SoftwareVault, passphrase: Secret, new: list[Signer]
) -> Changes:
    return Changes(
        entry,
        sealed=vault.sealed(passphrase, secrets.token_bytes),
        new_keys=(KeyRow(info, _state(plan), most=plan.most_uses),),
        new_custodians=tuple(signer.custodian for signer in new),
    )


def _state(plan: CeremonyPlan) -> KeyState:
    return KeyState.ACTIVE if plan.activate else KeyState.PRE_ACTIVE


def key_text(info: KeyInfo) -> str:
    """The key as the record names it: label, version, usage, algorithm and check value."""
    return f"{KeyRef(info.label, info.version)} {info.usage} {info.algorithm} {info.check_value}"


def _require_nobodys(passphrase: Secret, name: str, known: Iterable[Custodian]) -> None:
    """Nothing happens when no custodian whom the store knows has this passphrase."""
    for custodian in known:
        try:
            custodian.present(passphrase)
        except WrongPassphrase:
            continue
        raise VaultError(f"the passphrase of {name} is another custodian's too: choose one of your own")


def _require_own_passphrases(people: Mapping[str, Entered], store_passphrase: Secret) -> None:
    """Nothing happens when everybody has a passphrase of their own, and none is the store's."""
    seen: list[Secret] = [store_passphrase]
    for name, what in people.items():
        if what.passphrase in seen:
            raise VaultError(
                f"the passphrase of {name} is another custodian's too, or the store's: choose one of your own"
            )
        seen.append(what.passphrase)
