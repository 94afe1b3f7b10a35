"""A vault in a PKCS#11 token: a hardware security module, or SoftHSM.

Law 1. A master key is made in the token or comes in wrapped, and never leaves. So does every key between it and a
       card's, and every chip's transport key: they are derived in the token and used there.
Law 2. A card's own key leaves the token only to be written to that card, or to be folded: no token can put a key into
       a WRITE KEY command, where it does not begin on a block, nor xor the halves of a key. Once it is here it works
       here. A key that is only worked with stays inside, and its session keys with it. So do the bureau's own keys.
Law 3. What was lost with a session is derived again, and the verb that met the loss is done from its beginning.

3DES alone for cards: PKCS#11 has no SM4, and a token that has it has it in a way of its maker's. The bureau's own keys
are AES.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import pkcs11
from pkcs11 import Attribute, ObjectClass

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault import messaging, tokenkeys
from kaguan.vault.ciphers import Algorithm, BlockCipher, fresh_cipher
from kaguan.vault.diversify import factor_block, fold, session_block
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealedsecret import SealedSecret, require_length
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue, Secret
from kaguan.vault.token import TokenSession
from kaguan.vault.tokenkeys import KeyGuard
from kaguan.vault.tokentree import BLOCK, KeyTree, algorithm_of
from kaguan.vault.vault import (
    Appendix,
    CheckValueMismatch,
    KeyAbsent,
    KeyInfo,
    KeyPresent,
    KeyRef,
    KeyVault,
    StepKind,
    Usage,
    UsageForbidden,
    Verb,
    appended,
    require_bureau_verb,
    require_verb,
)

LENT = 1024
"""Card keys kept in this process for the next commands; more only when `prepare` was given more at once."""

_MARK = {Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: True, Attribute.LABEL: "kaguan-store"}
_REGISTER_MARK = {**_MARK, Attribute.LABEL: "kaguan-register"}
_TAG = KeyRef("kaguan-register")
"""The key of the token that authenticates its register; nobody else may name it."""


class TokenVault(KeyVault):
    """Keys in a token. Make one with `opened`, or with `founded` the first time."""

    def __init__(self, token: TokenSession, kind: StoreKind) -> None:
        self.kind = kind
        self._token = token
        self._tree = KeyTree(token)
        self._lent: OrderedDict[KeyRef, Secret] = OrderedDict()

    @classmethod
    def founded(cls, token: TokenSession, kind: StoreKind) -> TokenVault:
        """The token is a key store, and stays test or live for ever.

        Raises:
            VaultError: it is one of the other kind.
        """

        def mark(session: pkcs11.Session) -> None:
            if not list(session.get_objects(_MARK)):
                session.create_object({**_MARK, Attribute.PRIVATE: True, Attribute.VALUE: kind.encode()})

        token.run(mark)
        vault = cls.opened(token)
        if vault.kind is not kind:
            raise VaultError(f"{token} is a {vault.kind} store and does not become a {kind} one: take another token")
        return vault

    @classmethod
    def opened(cls, token: TokenSession) -> TokenVault:
        """The key store in the token.

        Raises:
            VaultError: it is none.
            KeyExposed, KeyPresent: see `tokenkeys.find_keys`.
        """
        marks = token.run(lambda session: [bytes(mark[Attribute.VALUE]) for mark in session.get_objects(_MARK)])
        try:
            (mark,) = marks
            kind = StoreKind(mark.decode())
        except ValueError:
            raise VaultError(f"{token} is no key store yet: make it one with 'kaguan keys token make'") from None
        return cls(token, kind)

    def generate(self, label: str, usage: Usage, algorithm: Algorithm, *, version: int = 1, levels: int = 1) -> KeyInfo:
        """A new key is in the token, which drew it; nobody has seen it.

        Raises:
            KeyPresent: the label has that version already.
            VaultError: no key that tokens work with.
        """
        tokenkeys.require_algorithm(label, usage, algorithm)
        template = {**tokenkeys.stored(label, version, levels, usage), Attribute.MODIFIABLE: False}
        kind, bits = tokenkeys.key_type(algorithm), 8 * algorithm.key_size if algorithm is Algorithm.AES else None
        self._tree.make_once(label, version, lambda session: session.generate_key(kind, bits, template=template))
        return self._tree.infos[label, version]

    def unwrap(
        self,
        label: str,
        usage: Usage,
        algorithm: Algorithm,
        cryptogram: bytes,
        expected: CheckValue,
        *,
        under: str,
        version: int = 1,
        levels: int = 1,
    ) -> KeyInfo:
        """The key in the cryptogram is in the token, opened there by the key labelled `under`.

        Raises, in this order:
            VaultError: no key that tokens work with.
            KeyPresent: the label has that version already.
            VaultError: the token has no such key to open it with, or it does not open.
            CheckValueMismatch: it is another key than the one whose check value was expected; nothing is stored.
        """
        tokenkeys.require_algorithm(label, usage, algorithm)
        template = tokenkeys.stored(label, version, levels, usage)

        def make(session: pkcs11.Session) -> None:
            trial = tokenkeys.unwrap(session, cryptogram, under, algorithm, {**template, Attribute.TOKEN: False})
            made = tokenkeys.check_value_of(trial, algorithm)
            trial.destroy()
            if made != expected:
                raise CheckValueMismatch(f"{label}: the cryptogram holds check value {made}, expected was {expected}")
            tokenkeys.unwrap(session, cryptogram, under, algorithm, template)

        self._tree.make_once(label, version, make)
        return self._tree.infos[label, version]

    @property
    def register_id(self) -> str | None:
        """The number of the register, outside the token, without which its keys are not to work; None without one."""
        marks = self._token.run(
            lambda session: [bytes(m[Attribute.VALUE]) for m in session.get_objects(_REGISTER_MARK)]
        )
        return marks[0].decode(errors="replace") if marks else None

    def bind_register(self, register_id: str) -> None:
        """From now on the keys of this token work behind that register alone.

        Raises:
            KeyPresent: the token has another one.
        """

        def mark(session: pkcs11.Session) -> None:
            if not list(session.get_objects(_REGISTER_MARK)):
                value = {Attribute.PRIVATE: True, Attribute.VALUE: register_id.encode()}
                session.create_object({**_REGISTER_MARK, **value})

        self._token.run(mark)
        if self.register_id != register_id:
            raise KeyPresent(f"{self._token} has a register already: name it with register=FILE")

    def make_tags(self) -> None:
        """The token has a key of its own for `tag`, made when there is none yet."""
        if (_TAG.label, _TAG.version) not in self._tree.infos:
            self.generate(_TAG.label, Usage.AUDIT, Algorithm.AES, levels=0)

    def tag(self, data: bytes) -> bytes:
        """What only this token can make of the data: the CMAC under a key that is nobody else's.

        Raises:
            KeyAbsent: it has none; see `make_tags`.
        """
        return self._tree.cmac(_TAG, data)

    def erase(self, ref: KeyRef) -> None:
        """The key is in the token no more.

        Raises:
            KeyAbsent: it was not there.
        """
        info = self.info(ref)
        self._tree.destroy(info.label, info.version)
        self.forget()

    def exchange_key(self, label: str) -> bytes:
        """The public key, as DER (PKCS#1), under which others wrap keys for this token by RSA-OAEP with SHA-1.

        Its private half is in the token under this label; it is made there when there is none yet.
        """
        return self._token.run(lambda session: tokenkeys.exchange_key(session, label))

    def infos(self) -> Iterator[KeyInfo]:
        """Every key of the vault, by label and version."""
        return iter([self._tree.infos[name] for name in sorted(self._tree.infos) if name[0] != _TAG.label])

    def info(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key that the reference starts from.

        Raises:
            KeyAbsent: the token holds no such label and version.
        """
        try:
            if ref.label == _TAG.label:
                raise KeyError
            return self._tree.infos[ref.label, ref.version]
        except KeyError:
            raise KeyAbsent(f"{self._token} holds no key {ref.label!r} of version {ref.version}") from None

    def guard(self, ref: KeyRef) -> KeyGuard:
        """What the token promises of this key: it is asked, not remembered."""
        self.info(ref)
        return self._tree.guard(ref)

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The check value of the derived key; also of a master key."""
        info = self.info(ref)
        if not ref.steps:
            return info.check_value
        local = self._local(ref)
        if local is not None:
            return CheckValue(local.encrypt(bytes(BLOCK))[:3])
        return self._tree.check_value(ref)

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own."""
        return self._worker(ref, Verb.ENCIPHER).encrypt(data)

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data."""
        return self._worker(ref, Verb.MAC).mac4(data, iv)

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
        """The command under secure messaging, its plaintext followed by the value of `append`."""
        worker = self._worker(ref, Verb.PROTECT)
        data = appended(self, ref, append, self._value, encrypted=encrypted)
        command = command._replace(data=command.data + data)
        messaging.require_announced(command)
        messaging.require_challenge(algorithm_of(ref), scheme, challenge)
        if scheme is Scheme.SSC:
            worker, challenge = self._worker_of(ref.session(challenge)), b""
        mac = partial(worker.mac4, iv=challenge)
        return messaging.protect_by(worker.encrypt, mac, scheme, command, block_size=BLOCK, encrypted=encrypted)

    def seal_secret(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed in the token under a key for records."""
        require_bureau_verb(self.info(ref), ref, Verb.SEAL)
        require_length(secret)
        return self._tree.seal(ref, secret, about)

    def open_secret(self, ref: KeyRef, blob: bytes, about: bytes) -> Secret:
        """The secret that was sealed under this key, about this."""
        require_bureau_verb(self.info(ref), ref, Verb.SEAL)
        return self._tree.unseal(ref, SealedSecret.parse(blob), about)

    def mac_long(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data, made in the token under a key for audits."""
        require_bureau_verb(self.info(ref), ref, Verb.MAC_LONG)
        return self._tree.cmac(ref, data)

    def prepare(self, refs: Iterable[KeyRef]) -> None:
        """These card keys are at hand, made with one call for all that have the same parent.

        Raises:
            KeyAbsent, UsageForbidden: one of them is absent, or is not to be written to a card.
        """
        by_parent: dict[KeyRef, list[KeyRef]] = {}
        for ref in refs:
            if ref not in self._lent:
                by_parent.setdefault(ref.parent, []).append(ref)
        for parent, children in by_parent.items():
            self._lend(parent, children)
        most = max(LENT, sum(map(len, by_parent.values())))
        while len(self._lent) > most:
            self._lent.popitem(last=False)

    def forget(self) -> None:
        """No card key is in this process any more."""
        self._lent.clear()

    def close(self) -> None:
        """No card key is in this process any more, and the token's session is closed."""
        self.forget()
        self._token.close()

    def __repr__(self) -> str:
        return f"<TokenVault {self._token.address.label!r} {self.kind}, {len(self._tree.infos)} keys>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TokenVault is this process's own and is not to be pickled or copied")

    # what happens in this process, with card keys that are here

    def _value(self, ref: KeyRef) -> bytes:
        """A card's own key."""
        if ref not in self._lent:
            self.prepare([ref])
        self._lent.move_to_end(ref)
        return self._lent[ref].reveal()

    def _lend(self, parent: KeyRef, children: list[KeyRef]) -> None:
        """These keys under the parent are here, made by one call."""
        info = self.info(parent)
        kinds = {child.steps[-1].kind if child.steps else None for child in children}
        lendable = info.usage is not Usage.TRANSPORT and kinds == {StepKind.DIVERSIFY}
        if not lendable or not info.levels - 1 <= parent.depth == len(parent.steps):
            raise UsageForbidden(f"{children[0]}: this key works in the token and does not leave it")
        made = self._tree.encipher(parent, b"".join(factor_block(child.steps[-1].data) for child in children))
        for place, child in enumerate(children):
            self._lent[child] = Secret(made[place * 2 * BLOCK : (place + 1) * 2 * BLOCK])

    def _local(self, ref: KeyRef) -> BlockCipher | None:
        """The key at work in this process, if its card's own key is here or must be; None when it works in the token.

        Raises:
            VaultError: a key that is no card's own, or no 3DES key any more, is to be folded.
        """
        kinds = [step.kind for step in ref.steps]
        levels = next((place for place, kind in enumerate(kinds) if kind is not StepKind.DIVERSIFY), len(kinds))
        card_key = ref._replace(steps=ref.steps[:levels])
        if card_key not in self._lent and StepKind.FOLD not in kinds:
            return None
        value, algorithm = self._value(card_key), Algorithm.TDES
        for kind, data in ref.steps[levels:]:
            if kind is StepKind.SESSION:
                value = fresh_cipher(value, algorithm).encrypt(session_block(data))
            elif kind is StepKind.FOLD and algorithm is Algorithm.TDES:
                value = fold(value)
            else:
                raise VaultError(f"{ref}: a single DES key is neither diversified nor folded")
            algorithm = Algorithm.DES
        return fresh_cipher(value, algorithm)

    def _worker(self, ref: KeyRef, verb: Verb) -> _Here | _InToken:
        require_verb(self.info(ref), ref, verb)
        return self._worker_of(ref)

    def _worker_of(self, ref: KeyRef) -> _Here | _InToken:
        local = self._local(ref)
        return _InToken(self._tree, ref) if local is None else _Here(local)


@dataclass(frozen=True, slots=True)
class _Here:
    """A key at work in this process."""

    cipher: BlockCipher

    def encrypt(self, data: bytes) -> bytes:
        return self.cipher.encrypt(data)

    def mac4(self, data: bytes, iv: bytes) -> bytes:
        return mac4(self.cipher, data, iv)


@dataclass(frozen=True, slots=True)
class _InToken:
    """A key at work in the token."""

    tree: KeyTree
    ref: KeyRef

    def encrypt(self, data: bytes) -> bytes:
        return self.tree.encipher(self.ref, data)

    def mac4(self, data: bytes, iv: bytes) -> bytes:
        return self.tree.mac4(self.ref, data, iv)
