"""The tree of keys inside a token: from a master key down to a card's and its sessions', each derived by the token.

A key is named by its reference and is made when it is first asked for. What a lost session takes with it is made again.
Nothing here says who may do what: that is the vault's business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

import pkcs11
from pkcs11 import Mechanism

from kaguan.apdu.errors import VaultError
from kaguan.vault import tokenkeys
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.diversify import factor_block, session_block
from kaguan.vault.mac import pad80
from kaguan.vault.sealedsecret import SealedSecret
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.token import TokenSession
from kaguan.vault.tokenkeys import KeyGuard, TokenKey
from kaguan.vault.vault import KeyAbsent, KeyInfo, KeyPresent, KeyRef, StepKind

BLOCK = 8
KEPT = 1024
"""Derived keys that stay in the token for the next time; the longest unused is destroyed first."""

_ECB, _CBC = Mechanism.DES3_ECB, Mechanism.DES3_CBC

Result = TypeVar("Result")
Name = tuple[str, int]


class KeyTree:
    """The keys of one token."""

    def __init__(self, token: TokenSession) -> None:
        self.token = token
        self.infos: dict[Name, KeyInfo] = {}
        self._masters: dict[Name, TokenKey] = {}
        self._derived: OrderedDict[tuple[KeyRef, bool], TokenKey] = OrderedDict()
        self._generation = 0
        self._run(lambda session: None)

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own, however many: one call.

        Raises:
            VaultError: a block is not whole.
        """
        if len(data) % BLOCK:
            raise VaultError(f"{len(data)} bytes are no whole number of {BLOCK}-byte blocks")
        return self._run(lambda session: self._key(session, ref).encrypt(data, mechanism=_ECB))

    def mac4(self, ref: KeyRef, data: bytes, iv: bytes) -> bytes:
        """The leftmost 4 bytes of the MAC: CBC with single DES, the last block with the whole key.

        Raises:
            VaultError: the initial value is longer than a block, or the key is a master that works itself: its left
                half cannot be had.
        """
        if len(iv) > BLOCK:
            raise VaultError(f"an initial value has at most {BLOCK} bytes, this has {len(iv)}")
        start, padded = iv.ljust(BLOCK, b"\0"), pad80(data, BLOCK)

        def chained(session: pkcs11.Session) -> bytes:
            key = self._key(session, ref)
            if algorithm_of(ref) is Algorithm.DES:
                return key.encrypt(padded, mechanism=_CBC, mechanism_param=start)[-BLOCK:]
            head, last = padded[:-BLOCK], padded[-BLOCK:]
            state = start
            if head:
                left = self._key(session, ref, left=True)
                state = left.encrypt(head, mechanism=_CBC, mechanism_param=start)[-BLOCK:]
            return key.encrypt(last, mechanism=_CBC, mechanism_param=state)

        return self._run(chained)[:4]

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The key's check value."""
        return self._run(lambda session: tokenkeys.check_value_of(self._key(session, ref)))

    def seal(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed under this key of the bureau."""
        return self._run(lambda session: tokenkeys.seal(session, self._master(ref), secret, about))

    def unseal(self, ref: KeyRef, sealed: SealedSecret, about: bytes) -> Secret:
        """The secret that was sealed under this key of the bureau.

        Raises:
            SealBroken: it does not open.
        """
        return self._run(lambda session: tokenkeys.unseal(self._master(ref), sealed, about))

    def cmac(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data under this key of the bureau."""
        return self._run(lambda session: tokenkeys.cmac(self._master(ref), data))

    def guard(self, ref: KeyRef) -> KeyGuard:
        """What the token promises of this key: it is asked, not remembered."""
        return self._run(lambda session: KeyGuard.of(self._key(session, ref)))

    def make_once(self, label: str, version: int, make: Callable[[pkcs11.Session], object]) -> None:
        """The token holds what `make` made, once, also when the session was lost before the answer.

        Raises:
            KeyPresent: the label has that version already.
        """
        begun = False

        def made(session: pkcs11.Session) -> None:
            nonlocal begun
            found = list(tokenkeys.find_keys(session, label, version))
            if found and not begun:
                raise KeyPresent(f"the vault already holds {label!r} of version {version}: use the next version")
            begun = True
            if not found:
                make(session)
                found = list(tokenkeys.find_keys(session, label, version))
            self._hold(found)

        self._run(made)

    def destroy(self, label: str, version: int) -> None:
        """The key is in the token no more, nor what was derived from it; also when the session was lost on the way."""

        def gone(session: pkcs11.Session) -> None:
            for _, key in list(tokenkeys.find_keys(session, label, version)):
                key.destroy()
            for name in [name for name in self._derived if name[0][:2] == (label, version)]:
                self._derived.pop(name).destroy()

        self._run(gone)
        self.infos.pop((label, version), None)
        self._masters.pop((label, version), None)

    def _run(self, act: Callable[[pkcs11.Session], Result]) -> Result:
        """What `act` made of a session in which all handles are good."""

        def fresh(session: pkcs11.Session) -> Result:
            if self._generation != self.token.generation:
                self._derived.clear()
                self.infos.clear()
                self._hold(tokenkeys.find_keys(session))
                self._generation = self.token.generation
            return act(session)

        return self.token.run(fresh)

    def _hold(self, found: Iterable[tuple[KeyInfo, TokenKey]]) -> None:
        for info, key in found:
            self.infos[info.label, info.version] = info
            self._masters[info.label, info.version] = key

    def _key(self, session: pkcs11.Session, ref: KeyRef, *, left: bool = False) -> TokenKey:
        """The key as an object of the token; or, for `left`, twice its left half."""
        if not ref.steps:
            if left:
                raise VaultError(f"{ref}: no token lets the left half of a master key do a MAC; diversify it")
            return self._master(ref)
        found = self._derived.get((ref, left))
        if found is not None:
            self._derived.move_to_end((ref, left))
            return found
        info = self.infos[ref.label, ref.version]
        if info.algorithm is Algorithm.AES:
            raise VaultError(f"{ref}: nothing is derived from an aes key")
        parent = self._key(session, ref.parent)
        kind, data = ref.steps[-1]
        if kind is StepKind.FOLD:
            raise VaultError(f"{ref}: no token folds a key")
        if kind is StepKind.DIVERSIFY:
            if algorithm_of(ref.parent) is Algorithm.DES:
                raise VaultError(f"{ref}: a single DES key is not diversified")
            block = factor_block(data)
        else:
            block = session_block(data) * 2
        key = tokenkeys.derive(
            parent,
            block[:BLOCK] * 2 if left else block,
            enciphers=tokenkeys.enciphers(info.usage, info.levels, ref.depth),
        )
        self._derived[ref, left] = key
        if len(self._derived) > KEPT:
            _, oldest = self._derived.popitem(last=False)
            oldest.destroy()
        return key

    def _master(self, ref: KeyRef) -> TokenKey:
        try:
            return self._masters[ref.label, ref.version]
        except KeyError:
            raise KeyAbsent(f"{self.token} holds no key {ref.label!r} of version {ref.version}") from None


def algorithm_of(ref: KeyRef) -> Algorithm:
    """What the derived key is a key of: a session's or a folded one is single DES."""
    return Algorithm.TDES if len(ref.steps) == ref.depth else Algorithm.DES
