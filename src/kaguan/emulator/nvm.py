"""Non-volatile memory: writes go through a redo journal, so a group is done whole or not at all.

Law 1. stage, mark, apply, clear: the mark is one physical write, and it alone decides whether the group happened.
Law 2. Recovery finishes a marked group and forgets an unmarked one; both may be done again and again.
Law 3. Nothing is answered before the group is marked.

Every step that a real chip does as a physical write asks `Power` first, so that it can be cut at any of them.
"""

from __future__ import annotations

import errno
from typing import Protocol

from kaguan.card_os.image import Address, CardImage
from kaguan.card_os.writes import Group, PutKey, PutLifecycle, Write, apply


class PowerLost(Exception):
    """The power went while the chip was writing."""


class Power:
    """The supply of a chip. It is steady until `cut_after` says when to fail."""

    __slots__ = ("_left", "steady", "writes")

    steady: bool
    """No cut is planned."""

    def __init__(self) -> None:
        self._left = 0
        self.steady = True
        self.writes = 0

    def cut_after(self, writes: int) -> None:
        """The power will last for so many more physical writes and fail before the next."""
        self._left, self.steady = writes, False

    def restore(self) -> None:
        """The power is steady again."""
        self.steady = True

    def spend(self) -> None:
        """One physical write may be done.

        Raises:
            PowerLost: the power fails just before it.
        """
        if not self.steady:
            if self._left == 0:
                raise PowerLost
            self._left -= 1
        self.writes += 1


class Storage(Protocol):
    """Where marked groups are kept when the process ends."""

    def append(self, group: Group) -> None:
        """The group is part of the stored image."""
        ...


class Nvm:
    """An image, its journal, and the power that both depend on."""

    __slots__ = ("_journal", "_marked", "_storage", "_worn", "image", "power")

    def __init__(self, image: CardImage, *, power: Power | None = None, storage: Storage | None = None) -> None:
        self.image = image
        self.power = power or Power()
        self._storage = storage
        self._journal: list[Write] = []
        self._marked = False
        self._worn: tuple[Address, ...] = ()

    def wear(self, address: Address) -> None:
        """Nothing can be written any more at this address and below it; the empty address is the whole memory."""
        self._worn = (*self._worn, address)

    def commit(self, group: Group) -> None:
        """The whole group is done.

        Raises:
            PowerLost: the power failed on the way; `recover` then makes it whole or nothing.
            OSError: it cannot be stored, or is for a worn-out part of the memory; nothing of it is done.
        """
        if self._worn and any(_address(write).startswith(worn) for write in group for worn in self._worn):
            raise OSError(errno.EIO, "the memory is worn out")
        if self.power.steady:  # what the steps below come to when nothing can interrupt them
            if self._storage is not None:
                self._storage.append(group)
            self.image = apply(self.image, group)
            return
        self._stage(group)
        self._mark()
        self._apply()
        self._clear()

    def recover(self) -> None:
        """The journal is empty: a marked group is done, an unmarked one is forgotten. For power-up."""
        if self._marked:
            self._apply()
        self._clear()

    def _stage(self, group: Group) -> None:
        self._journal.clear()  # of a group that could not be marked
        for write in group:
            self.power.spend()
            self._journal.append(write)

    def _mark(self) -> None:
        self.power.spend()
        if self._storage is not None:
            self._storage.append(tuple(self._journal))
        self._marked = True

    def _apply(self) -> None:
        for write in self._journal:
            self.power.spend()
            self.image = write.put(self.image)

    def _clear(self) -> None:
        self.power.spend()
        self._journal.clear()
        self._marked = False


def _address(write: Write) -> Address:
    match write:
        case PutKey(dedicated=address):
            return address
        case PutLifecycle():
            return b""
    return write.address
