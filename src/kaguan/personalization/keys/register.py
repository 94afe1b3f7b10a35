"""Counters on disk: a use is written down before the key works."""

from __future__ import annotations

from kaguan.personalization.keys.storefile import KeyRow, StoreFile, Tag
from kaguan.vault.guard import KeyState
from kaguan.vault.vault import KeyNotActive, KeyRef, KeyUsedUp

MOST_AT_ONCE = 4096
"""Uses reserved at once by one process: what a kill costs at most."""

_PARTS = 64
"""Of what is left of a limit, one reservation takes this part: many stations share, and a kill costs little."""


class StoreRegister:
    """The register of one store file, for one process; `tag` is the opened vault's."""

    def __init__(self, store: StoreFile, tag: Tag) -> None:
        self._store = store
        self._tag = tag

    def reserve(self, label: str, version: int) -> int:
        """How many uses of the key, one or more, belong to the caller now.

        Raises:
            KeyNotActive, KeyUsedUp: none.
            KeyAbsent, RegisterBroken: see `StoreFile.use`.
        """
        row = self._store.use(label, version, lambda row: row.used + _share(row), self._tag)
        ref = KeyRef(label, version)
        if row.state is not KeyState.ACTIVE:
            raise KeyNotActive(f"{ref} is {row.state}, and only an active key works")
        if not (given := _share(row)):
            raise KeyUsedUp(f"{ref} has been used {row.most} times, which is all it may: go on with the next version")
        return given

    def give_back(self, label: str, version: int, unused: int) -> None:
        """The reserved uses that were never made are there for others."""
        self._store.use(label, version, lambda row: row.used - unused, self._tag)

    def active(self) -> frozenset[tuple[str, int]]:
        """Label and version of every key that is active now.

        Raises:
            RegisterBroken: a row was changed by hand.
        """
        return frozenset(row.name for row in self._store.checked_rows(self._tag) if row.state is KeyState.ACTIVE)


def _share(row: KeyRow) -> int:
    """How much of what is left one process gets."""
    if row.state is not KeyState.ACTIVE:
        return 0
    if row.most is None:
        return MOST_AT_ONCE
    left = row.most - row.used
    return min(max(left // _PARTS, 1), MOST_AT_ONCE, left)
