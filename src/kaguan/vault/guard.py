"""A vault whose keys have states and counters.

Law 1. Only an active key works; what it is otherwise is said by name.
Law 2. A use is reserved, for good, before the key works: whoever is killed has used what he reserved.
Law 3. What was reserved is one process's: a copy of the vault in a forked process has nothing and gets nothing.
Law 4. What another process decides about a key is known here after LEASE_SECONDS at the latest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from enum import StrEnum
from typing import NoReturn, Protocol

from kaguan.apdu.command import CommandApdu
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.vault import Appendix, KeyInfo, KeyNotActive, KeyRef, KeyVault

LEASE_SECONDS = 10.0


class KeyState(StrEnum):
    """Where a key is in its life (NIST SP 800-57 part 1, 7)."""

    PRE_ACTIVE = "pre-active"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"
    DESTROYED = "destroyed"


NEXT_STATES: Mapping[KeyState, frozenset[KeyState]] = {
    KeyState.PRE_ACTIVE: frozenset({KeyState.ACTIVE, KeyState.DESTROYED}),
    KeyState.ACTIVE: frozenset({KeyState.SUSPENDED, KeyState.RETIRED}),
    KeyState.SUSPENDED: frozenset({KeyState.ACTIVE, KeyState.RETIRED}),
    KeyState.RETIRED: frozenset({KeyState.DESTROYED}),
    KeyState.DESTROYED: frozenset(),
}


class KeyRegister(Protocol):
    """What remembers states and counters, for all processes at once and through every crash."""

    def reserve(self, label: str, version: int) -> int:
        """How many uses of the key, one or more, belong to the caller now.

        Raises:
            KeyNotActive, KeyUsedUp: none.
        """
        ...

    def give_back(self, label: str, version: int, unused: int) -> None:
        """The reserved uses that were never made are there for others."""
        ...

    def active(self) -> Set[tuple[str, int]]:
        """Label and version of every key that is active now."""
        ...


class _Abandoned:
    """The register of a vault that belongs to another process."""

    def reserve(self, label: str, version: int) -> int:
        raise KeyNotActive(f"{KeyRef(label, version)}: another process opened this vault; open it in this one too")

    def give_back(self, label: str, version: int, unused: int) -> None:
        """Nothing is there to give back."""

    def active(self) -> Set[tuple[str, int]]:
        return frozenset()


class GuardedVault(KeyVault):
    """A vault of any make behind its register. `clock` counts seconds and never goes back."""

    def __init__(self, vault: KeyVault, kind: StoreKind, register: KeyRegister, clock: Callable[[], float]) -> None:
        self.kind = kind
        self._vault = vault
        self._register = register
        self._clock = clock
        self._left: dict[tuple[str, int], int] = {}
        self._until = clock() + LEASE_SECONDS

    def prepare(self, refs: Iterable[KeyRef]) -> None:
        """The vault has these keys at hand; writing them is the use that counts."""
        self._vault.prepare(refs)

    def close(self) -> None:
        """Uses that were reserved and not made are given back."""
        self._give_back(list(self._left))

    def abandon(self) -> None:
        """This vault works no more and gives nothing back: it is the copy in a forked process."""
        self._left.clear()
        self._register = _Abandoned()

    def infos(self) -> Iterator[KeyInfo]:
        """Every key of the vault, by label and version."""
        return self._vault.infos()

    def info(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key that the reference starts from."""
        return self._vault.info(ref)

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The check value of the derived key; this is no use."""
        return self._vault.check_value(ref)

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own: one use."""
        self._spend(ref)
        return self._vault.encipher(ref, data)

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data: one use."""
        self._spend(ref)
        return self._vault.mac(ref, data, iv)

    def protect(
        self,
        ref: KeyRef,
        scheme: Scheme,
        command: CommandApdu,
        challenge: bytes,
        *,
        encrypted: bool,
        append: Appendix = None,
    ) -> CommandApdu:
        """The command under secure messaging: one use of its key, and one of each key that it carries."""
        self._spend(ref)
        for piece in append if isinstance(append, tuple) and not isinstance(append, KeyRef) else (append,):
            if isinstance(piece, KeyRef):
                self._spend(piece)
        return self._vault.protect(ref, scheme, command, challenge, encrypted=encrypted, append=append)

    def seal_secret(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed under a key for records: one use."""
        self._spend(ref)
        return self._vault.seal_secret(ref, secret, about)

    def open_secret(self, ref: KeyRef, blob: bytes, about: bytes) -> Secret:
        """The secret that was sealed under this key, about this: one use."""
        self._spend(ref)
        return self._vault.open_secret(ref, blob, about)

    def mac_long(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data under a key for audits: one use."""
        self._spend(ref)
        return self._vault.mac_long(ref, data)

    def __repr__(self) -> str:
        return f"<GuardedVault {self._vault!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a GuardedVault works with keys and is not to be pickled or copied")

    def _spend(self, ref: KeyRef) -> None:
        """One reserved use is gone."""
        now = self._clock()
        if now >= self._until:
            active = self._register.active()
            self._give_back([name for name in self._left if name not in active])
            self._until = now + LEASE_SECONDS
        name = ref.label, ref.version
        left = self._left.get(name, 0)
        if not left:
            self._vault.info(ref)  # an absent key is told before all else
            left = self._register.reserve(*name)
        self._left[name] = left - 1

    def _give_back(self, names: Iterable[tuple[str, int]]) -> None:
        for name in names:
            if left := self._left.pop(name):  # here first: what is given back twice would be used twice
                self._register.give_back(*name, left)
