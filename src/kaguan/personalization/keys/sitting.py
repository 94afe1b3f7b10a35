"""Two custodians at an open store: what they may do with its keys, and what the record says of it afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.durable import locked, write_whole
from kaguan.personalization.keys.ceremony import key_text
from kaguan.personalization.keys.opening import Registered, check_register, open_vault
from kaguan.personalization.keys.register import StoreRegister
from kaguan.personalization.keys.storefile import Changes, KeyRow, StoreFile, lock_path
from kaguan.vault.ceremony import KeyOrder
from kaguan.vault.custodian import Signer
from kaguan.vault.guard import NEXT_STATES, KeyState
from kaguan.vault.record import LEAST_PEOPLE, Entry, next_entry
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import custodian_name
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import CheckValueMismatch, KeyAbsent, KeyInfo, KeyNotActive, KeyRef
from kaguan.vault.zone import is_zone_key, zone_of

_OWNER_ONLY = 0o600
_STEPS = {
    KeyState.ACTIVE: "activate",
    KeyState.SUSPENDED: "suspend",
    KeyState.RETIRED: "retire",
    KeyState.DESTROYED: "destroy",
}


class Steps:
    """What custodians do at a register, whatever holds the keys. Every step is done and recorded, or neither."""

    def __init__(self, store: StoreFile, vault: Registered, people: Sequence[Signer], now: Callable[[], str]) -> None:
        self._store = store
        self._vault = vault
        self._people = people
        self._now = now

    def change_state(self, ref: KeyRef, state: KeyState) -> Entry:
        """The key is in that state; destroyed, its value is in the store no more.

        Raises:
            KeyAbsent: there is no such key.
            KeyNotActive: there is no way from the state that it is in.
        """
        row = self._row(ref)
        if state not in NEXT_STATES[row.state]:
            ways = ", ".join(sorted(NEXT_STATES[row.state])) or "nothing else"
            raise KeyNotActive(f"{ref} is {row.state}; from there it becomes {ways}, not {state}")
        sealed = self._without(ref) if state is KeyState.DESTROYED else None
        about = {"keys": [key_text(row.info)], "from": row.state.value, "to": state.value}
        entry = self._entry(_STEPS[state], about)
        self._store.commit(Changes(entry, sealed=sealed, states={row.name: state}), self._vault.tag)
        return entry

    def _without(self, ref: KeyRef) -> bytes | None:
        """The sealed keys without this one, where they are sealed in the store."""
        raise NotImplementedError

    def _added(
        self,
        step: str,
        infos: Sequence[KeyInfo],
        about: Mapping[str, object],
        *,
        most_uses: int | None,
        activate: bool,
        sealed: bytes | None = None,
    ) -> Entry:
        state = KeyState.ACTIVE if activate else KeyState.PRE_ACTIVE
        keys = {"keys": [key_text(info) for info in infos], "state": state.value, "most_uses": most_uses}
        entry = self._entry(step, {**keys, **about})
        rows = tuple(KeyRow(info, state, most=most_uses) for info in infos)
        self._store.commit(Changes(entry, sealed=sealed, new_keys=rows), self._vault.tag)
        return entry

    def _row(self, ref: KeyRef) -> KeyRow:
        for row in check_register(self._store, self._vault):
            if row.name == (ref.label, ref.version):
                return row
        raise KeyAbsent(f"{self._store.path} has no key {ref}")

    def _entry(self, step: str, about: Mapping[str, object]) -> Entry:
        last = self._store.record()[-1]
        return next_entry(
            last, time=self._now(), store=self._store.store_id, step=step, about=about, people=self._people
        )


class Sitting(Steps):
    """Custodians at a store whose keys are sealed in it. Make one with `sit`."""

    def __init__(
        self,
        store: StoreFile,
        vault: SoftwareVault,
        passphrase: Secret,
        people: Sequence[Signer],
        now: Callable[[], str],
    ) -> None:
        super().__init__(store, vault, people, now)
        self._vault: SoftwareVault = vault
        self._passphrase = passphrase

    def generate(
        self,
        orders: Iterable[KeyOrder],
        *,
        most_uses: int | None,
        activate: bool,
        given: Iterable[Callable[[SoftwareVault], KeyInfo]] = (),
    ) -> Entry:
        """New keys, which nobody has seen, are in the store; and those that each of `given` puts into the vault.

        Raises:
            KeyPresent: the store has had one of them.
        """
        infos = [
            self._vault.generate(label, usage, algorithm, secrets.token_bytes, version=version, levels=levels)
            for label, usage, algorithm, levels, version in orders
        ]
        infos += [give(self._vault) for give in given]
        sealed = self._sealed()
        return self._added("generate", infos, {}, most_uses=most_uses, activate=activate, sealed=sealed)

    def import_block(
        self, text: str, zone_key: KeyRef, expected: CheckValue, *, most_uses: int | None, activate: bool
    ) -> Entry:
        """The key in the key block is in the store, with the check value that was announced.

        Raises:
            KeyNotActive, KeyUsedUp: the zone key does not work.
            As `SoftwareVault.import_block`.
        """
        self._use(zone_key)
        info = self._vault.import_block(text, zone_key, expected)
        under, sealed = {"under": str(zone_key)}, self._sealed()
        return self._added("import", [info], under, most_uses=most_uses, activate=activate, sealed=sealed)

    def export_block(self, ref: KeyRef, zone_key: KeyRef | None, expected: CheckValue, file: Path) -> Entry:
        """The key, in a key block of its zone's key, is in a new file; the record says so before the file is there.

        Without `zone_key` it is the newest active one of the key's zone.

        Raises:
            KeyAbsent: there is no such key, or no active zone key for it.
            KeyNotActive: the key or the zone key does not work.
            CheckValueMismatch: this is not the key that the custodians mean.
            UsageForbidden: see `SoftwareVault.exported`.
            FileExistsError: something of that name is there already.
        """
        row = self._row(ref)
        if row.state not in {KeyState.PRE_ACTIVE, KeyState.ACTIVE}:
            raise KeyNotActive(f"{ref} is {row.state}: it goes nowhere any more")
        if row.info.check_value != expected:
            raise CheckValueMismatch(f"{ref} has check value {row.info.check_value}, the one confirmed is {expected}")
        if file.exists():
            raise FileExistsError(17, "there is such a file already, choose another name", str(file))
        under = zone_key or self._zone_key(row.info)
        block = self._vault.exported(ref, under, secrets.token_bytes)
        self._use(under)
        entry = self._entry("export", {"keys": [key_text(row.info)], "under": str(under), "file": file.name})
        self._store.commit(Changes(entry), self._vault.tag)
        write_whole(file, block.encode() + b"\n", mode=_OWNER_ONLY)
        return entry

    def _zone_key(self, info: KeyInfo) -> KeyRef:
        zone = zone_of(info.usage)
        rows = [row for row in self._store.rows() if row.info.usage is zone.usage and row.state is KeyState.ACTIVE]
        if not rows:
            raise KeyAbsent(f"{self._store.path} has no active zone key for {zone}: hold a ceremony, or activate it")
        newest = max(rows, key=lambda row: row.info.version)
        return KeyRef(*newest.name)

    def _use(self, zone_key: KeyRef) -> None:
        """One use of the zone key is written down.

        Raises:
            KeyAbsent: there is none of that name.
            KeyNotActive, KeyUsedUp: it does not work.
        """
        info = self._vault.info(zone_key)
        if is_zone_key(info.usage):  # what is none is refused by the vault, and is not used
            register = StoreRegister(self._store, self._vault.tag)
            left = register.reserve(*zone_key[:2])
            register.give_back(*zone_key[:2], left - 1)

    def _without(self, ref: KeyRef) -> bytes | None:
        self._vault.erase(ref)
        return self._sealed()

    def _sealed(self) -> bytes:
        return self._vault.sealed(self._passphrase, secrets.token_bytes)


@contextmanager
def sit(path: Path, passphrase: Secret, people: Mapping[str, Secret], now: Callable[[], str]) -> Iterator[Sitting]:
    """While the context lasts these custodians, by name and passphrase, stand at the store and nobody else does.

    Raises, in this order:
        InUse: somebody else does.
        NeedsSecondPerson: they are fewer than two.
        CustodianUnknown, WrongPassphrase: one of them is not who he says.
        As `open_vault`.
    """
    with locked(lock_path(path), f"the key store {path}"), StoreFile(path) as store:
        signers = present(store, people)
        yield Sitting(store, open_vault(store, passphrase), passphrase, signers, now)


def present(store: StoreFile, people: Mapping[str, Secret]) -> list[Signer]:
    """These custodians of the store, by name and passphrase.

    Raises:
        NeedsSecondPerson, CustodianUnknown, WrongPassphrase: see `sit`.
    """
    if len({custodian_name(name) for name in people}) < LEAST_PEOPLE:
        raise NeedsSecondPerson("this takes two custodians: different people, each with a passphrase of their own")
    return [store.custodian(name).present(secret) for name, secret in people.items()]
