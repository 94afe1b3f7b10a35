"""A managed store, opened: the vault behind its register, which it must agree with."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from kaguan.personalization.keys.register import StoreRegister
from kaguan.personalization.keys.storefile import MAGIC, KeyRow, RegisterBroken, StoreFile
from kaguan.vault.guard import GuardedVault, KeyState
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault
from kaguan.vault.vault import KeyVault


def is_managed(path: Path) -> bool:
    """Whether the file is a managed store, not a bare sealed vault.

    Raises:
        FileNotFoundError: it is not there.
    """
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def record_lines_of(path: Path) -> list[str]:
    """The lines of a record, in a file of its own or still in its store."""
    if is_managed(path):
        with StoreFile(path) as file:
            return file.record_lines()
    return path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")


def open_guarded(path: Path, passphrase: Secret) -> GuardedVault:
    """The vault of a managed store: only active keys work, and none beyond its counter.

    Raises:
        WrongPassphrase, SealedStoreMalformed: see `SoftwareVault.opened`.
        RegisterBroken: register and vault do not agree.
    """
    store = StoreFile(path)
    try:
        vault = open_vault(store, passphrase)
    except BaseException:
        store.close()
        raise
    return guarded_by(store, vault)


class Registered(KeyVault, Protocol):
    """A vault that authenticates what a register says of its keys."""

    kind: StoreKind

    def tag(self, data: bytes) -> bytes:
        """What only this vault can make of the data."""
        ...


def guarded_by(store: StoreFile, vault: Registered) -> GuardedVault:
    """The vault behind the register in this file, which was checked, and is this process's."""
    guarded = GuardedVault(vault, vault.kind, StoreRegister(store, vault.tag), time.monotonic)
    _OPEN.add(guarded)
    return guarded


_OPEN: WeakSet[GuardedVault] = WeakSet()


def _abandon_all() -> None:
    for guarded in list(_OPEN):
        guarded.abandon()


os.register_at_fork(after_in_child=_abandon_all)


def open_vault(store: StoreFile, passphrase: Secret) -> SoftwareVault:
    """The vault in the store file, without its guard: for who changes keys, not for who uses them.

    Raises:
        As `open_guarded`.
    """
    with store.snapshot():
        vault = SoftwareVault.opened(store.sealed, passphrase)
        check_register(store, vault)
    return vault


def check_register(store: StoreFile, vault: Registered) -> list[KeyRow]:
    """The rows, when each has its tag and says of its key what the vault says, and the record is whole.

    A token may hold keys besides: its register is a file of its own, and a step that was killed has told only one of
    them. A key without a row does not work.

    Raises:
        RegisterBroken, RecordBroken: otherwise.
    """
    store.checked_record(vault.tag)
    rows = store.checked_rows(vault.tag)
    alive = [row.info for row in rows if row.state is not KeyState.DESTROYED]
    found = list(vault.infos())
    agree = alive == found if store.sealed else all(info in found for info in alive)
    if not agree or store.kind is not vault.kind:
        raise RegisterBroken(f"{store.path}: register and keys do not agree: restore the store and ask why")
    return rows
