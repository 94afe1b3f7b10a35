"""Custodians at a token: its keys stay inside, its register, a file of its own, says what they may do.

The token and the file cannot change together. So what gives a key work to do is told the file last, and what takes it
away is told the file first: a step that was killed leaves a key that does not work, and is done again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from kaguan.apdu.errors import NeedsSecondPerson, VaultError
from kaguan.durable import locked
from kaguan.personalization.keys.ceremony import key_text
from kaguan.personalization.keys.opening import check_register
from kaguan.personalization.keys.sitting import Steps, present
from kaguan.personalization.keys.storefile import Changes, KeyRow, StoreFile, lock_path
from kaguan.personalization.keys.tokenstore import TokenStore, registered
from kaguan.vault.ceremony import KeyOrder
from kaguan.vault.custodian import Signer, enrol
from kaguan.vault.guard import KeyState
from kaguan.vault.pkcs11 import TokenVault
from kaguan.vault.record import LEAST_PEOPLE, Entry, next_entry
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.share import custodian_name
from kaguan.vault.vault import KeyInfo, KeyPresent, KeyRef


class TokenSitting(Steps):
    """Make one with `sit_at_token`."""

    def __init__(self, store: StoreFile, vault: TokenVault, people: Sequence[Signer], now: Callable[[], str]) -> None:
        super().__init__(store, vault, people, now)
        self._vault: TokenVault = vault

    def change_state(self, ref: KeyRef, state: KeyState) -> Entry:
        """The key is in that state; destroyed, it is in the token no more.

        Raises:
            As `Steps.change_state`.
        """
        row = self._row(ref)
        if row.state is state is KeyState.DESTROYED and row.info in self._vault.infos():
            self._vault.erase(ref)  # a step that was killed had told the register only
            return self._store.record()[-1]
        entry = super().change_state(ref, state)
        if state is KeyState.DESTROYED:
            self._vault.erase(ref)
        return entry

    def take_in(
        self, step: str, make: Callable[[], Iterable[KeyInfo]], *, most_uses: int | None, activate: bool
    ) -> Entry | None:
        """The keys that `make` brings into the token are in the register too, and those that were in the token alone
        after a step that was killed; None when there is no new one.

        Raises:
            What `make` raises; keys that it has brought in do not work then, and the same step takes them in.
        """
        for _ in make():
            pass
        known = {row.name for row in check_register(self._store, self._vault)}
        infos = [info for info in self._vault.infos() if (info.label, info.version) not in known]
        if not infos:
            return None
        return self._added(step, infos, {}, most_uses=most_uses, activate=activate)

    def import_wrapped(
        self,
        order: KeyOrder,
        cryptogram: bytes,
        expected: CheckValue,
        *,
        under: str,
        most_uses: int | None,
        activate: bool,
    ) -> Entry | None:
        """The key in the cryptogram is in the token and in the register.

        Raises:
            As `TokenVault.unwrap`.
        """

        def opened() -> list[KeyInfo]:
            label, usage, algorithm, levels, version = order
            try:
                return [
                    self._vault.unwrap(
                        *(label, usage, algorithm, cryptogram, expected), under=under, version=version, levels=levels
                    )
                ]
            except KeyPresent:
                info = self._vault.info(KeyRef(label, version))
                known = {row.name for row in self._store.rows()}
                if (label, version) in known or info.check_value != expected:
                    raise
                return [info]  # a step that was killed had told the token only

        return self.take_in("import", opened, most_uses=most_uses, activate=activate)

    def _without(self, ref: KeyRef) -> bytes | None:
        return None  # the token erases it, when the register says so


@contextmanager
def sit_at_token(
    store: TokenStore, vault: TokenVault, people: Mapping[str, Secret], now: Callable[[], str]
) -> Iterator[TokenSitting]:
    """While the context lasts these custodians stand at the token's register and nobody else does.

    Raises:
        VaultError: the token has no register, or another.
        InUse, NeedsSecondPerson, CustodianUnknown, WrongPassphrase: see `sit`.
    """
    path = store.register or Path()
    with registered(store, vault) as file, locked(lock_path(path), f"the register {path}"):
        yield TokenSitting(file, vault, present(file, people), now)


def make_register(
    path: Path, vault: TokenVault, people: Mapping[str, Secret], *, time: str, most_uses: int | None
) -> Entry:
    """The token's keys have states and counters from now on, all active, in a file that these custodians answer for.

    Raises:
        VaultError: the token has a register already, the file is there and is another's, or a custodian's passphrase is
            too short.
        NeedsSecondPerson: there are fewer than two.
    """
    if len({custodian_name(name) for name in people}) < LEAST_PEOPLE:
        raise NeedsSecondPerson("a register takes two custodians: different people, each with the own passphrase")
    if vault.register_id is not None:
        raise VaultError("this token has a register already: name it with register=FILE")
    vault.make_tags()
    with locked(lock_path(path), f"the register {path}"):
        if path.exists():  # of a run that was killed before it told the token
            with StoreFile(path) as file:
                check_register(file, vault)
                vault.bind_register(file.store_id)
                return file.record()[-1]
        signers = [enrol(name, secret, vault.kind, secrets.token_bytes) for name, secret in people.items()]
        rows = tuple(KeyRow(info, KeyState.ACTIVE, most=most_uses) for info in vault.infos())
        about: dict[str, object] = {
            "kind": vault.kind.value,
            "keys": [key_text(row.info) for row in rows],
            "state": KeyState.ACTIVE.value,
            "most_uses": most_uses,
        }
        new = [signer.custodian for signer in signers]
        store_id = secrets.token_hex(8).upper()
        entry = next_entry(None, time=time, store=store_id, step="register", about=about, people=signers, new=new)
        changes = Changes(entry, sealed=b"", new_keys=rows, new_custodians=tuple(new))
        StoreFile.create(path, vault.kind, store_id, changes, vault.tag)
        vault.bind_register(store_id)
    return entry
