"""A vault in memory, for tests, development and small sites; an HSM does the same verbs and earns more trust.

Derived keys are remembered by reference, so a bureau that personalizes a city derives the province's and the
city's keys once, and each card's with one cipher call.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault import messaging
from kaguan.vault.checkvalue import check_value
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, fold, session_algorithm, session_key
from kaguan.vault.keyblock import TravellingKey, close_block, open_block
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import Scheme
from kaguan.vault.sealedsecret import close_secret, cmac, disclose_secret
from kaguan.vault.sealing import SealedStoreMalformed, SealingCost, StoreKind, seal, unseal
from kaguan.vault.secret import CheckValue, Random, Secret
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
from kaguan.vault.zone import require_zone

_REMEMBERED = 4096


class _Value(NamedTuple):
    key: Secret
    algorithm: Algorithm


class SoftwareVault(KeyVault):
    """Keys in this process's memory. Make one with `empty` or `opened`."""

    def __init__(self, kind: StoreKind) -> None:
        self.kind = kind
        self._infos: dict[tuple[str, int], KeyInfo] = {}
        self._keys: dict[tuple[str, int], Secret] = {}
        self._tag_key = Secret(b"")
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._derived)

    @classmethod
    def empty(cls, kind: StoreKind) -> SoftwareVault:
        """A vault without keys; it stays test or live for ever."""
        return cls(kind)

    def with_tags(self, random: Random) -> SoftwareVault:
        """This vault, which from now on authenticates what is said about its keys outside: see `tag`."""
        self._tag_key = Secret(random(32))
        return self

    def tag(self, data: bytes) -> bytes:
        """What only this vault can make of the data: HMAC-SHA-256 under a key that is no card's.

        Raises:
            VaultError: the vault was made without; see `with_tags`.
        """
        if not len(self._tag_key):
            raise VaultError("this key store has no register: make one with 'kaguan keys ceremony'")
        return hmac.digest(self._tag_key.reveal(), data, hashlib.sha256)

    def generate(
        self,
        label: str,
        usage: Usage,
        algorithm: Algorithm,
        random: Random,
        *,
        version: int = 1,
        levels: int = 1,
    ) -> KeyInfo:
        """A new random key is in the vault; `levels` is how many diversifications it needs before it works.

        Raises:
            KeyPresent: the label has that version already.
        """
        self._require_absent(label, version)
        key = Secret(random(algorithm.key_size))
        info = KeyInfo(label, version, algorithm, usage, check_value(key.reveal(), algorithm), levels)
        self._add(info, key)
        return info

    def import_components(
        self,
        label: str,
        usage: Usage,
        algorithm: Algorithm,
        components: Sequence[Secret],
        expected: CheckValue | None,
        *,
        version: int = 1,
        levels: int = 1,
    ) -> KeyInfo:
        """The key that is the exclusive or of the components is in the vault.

        Raises, in this order:
            KeyPresent: the label has that version already.
            VaultError: no component, only one for a live store, one of the wrong length, or all cancel out.
            CheckValueMismatch: they make another key than the one whose check value was expected.
        """
        self._require_absent(label, version)
        least = 2 if self.kind is StoreKind.LIVE else 1
        if len(components) < least:
            raise VaultError(f"{label}: a {self.kind} store takes at least {least} components a key")
        total, size = 0, algorithm.key_size
        for number, component in enumerate(components, 1):
            if len(component) != size:
                raise VaultError(f"{label}: component {number} has {len(component)} bytes, it should have {size}")
            total ^= int.from_bytes(component.reveal(), "big")
        if not total:
            raise VaultError(f"{label}: the components cancel out to zeros; was one entered twice?")
        key = Secret(total.to_bytes(size, "big"))
        return self.take(KeyInfo(label, version, algorithm, usage, expected or _made(key, algorithm), levels), key)

    def take(self, info: KeyInfo, key: Secret) -> KeyInfo:
        """The key that others made is in the vault: from components, shares or a key block.

        Raises, in this order:
            KeyPresent: the label has that version already.
            CheckValueMismatch: it is not the key whose check value was expected.
        """
        self._require_absent(info.label, info.version)
        made = _made(key, info.algorithm)
        if made != info.check_value:
            raise CheckValueMismatch(f"{info.label}: this makes check value {made}, expected was {info.check_value}")
        self._add(info, key)
        return info

    def exported(self, ref: KeyRef, zone_key: KeyRef, random: Random) -> str:
        """The master key in a key block of its zone's key.

        Raises:
            KeyAbsent: there is no such key, or no such zone key.
            UsageForbidden: the zone key is none, or another zone's; or a derived key was named.
        """
        info = self._whole(ref)
        require_zone(info, self._whole(zone_key))
        key, under = self._keys[ref.label, ref.version], self._keys[zone_key.label, zone_key.version]
        return close_block(key, TravellingKey(info, self.kind), under, random)

    def import_block(self, text: str, zone_key: KeyRef, expected: CheckValue) -> KeyInfo:
        """The key in the key block is in the vault.

        Raises, in this order:
            KeyAbsent: there is no such zone key.
            KeyBlockMalformed, KeyBlockForged: see `open_block`.
            UsageForbidden: the zone key is none, or another zone's; a live key for a test store, or a test key for a
                live one.
            CheckValueMismatch: the block holds another key than the one that was announced.
            KeyPresent: the label has that version already.
        """
        under = self._whole(zone_key)
        key, (info, kind) = open_block(text, self._keys[zone_key.label, zone_key.version])
        require_zone(info, under)
        if kind is not self.kind:
            raise UsageForbidden(f"{info.label} is a {kind} key and this is a {self.kind} store: they never meet")
        if info.check_value != expected:
            found = f"the block says check value {info.check_value}"
            raise CheckValueMismatch(f"{info.label}: {found}, the one announced is {expected}")
        return self.take(info, key)

    def erase(self, ref: KeyRef) -> None:
        """The key is in the vault no more, and will not be in it when it is sealed.

        Raises:
            KeyAbsent: it was not there.
        """
        info = self._whole(ref)
        del self._infos[info.label, info.version], self._keys[info.label, info.version]
        self._remembered.cache_clear()

    def sealed(self, passphrase: Secret, random: Random, *, cost: SealingCost | None = None) -> bytes:
        """The whole vault as one encrypted file; `opened` is the way back."""
        keys = [
            {
                "label": info.label,
                "version": info.version,
                "algorithm": info.algorithm,
                "usage": info.usage,
                "levels": info.levels,
                "key": self._keys[info.label, info.version].reveal().hex(),
            }
            for info in self.infos()
        ]
        payload = {"tag": self._tag_key.reveal().hex(), "keys": keys} if len(self._tag_key) else keys
        return seal(json.dumps(payload).encode(), self.kind, passphrase, random, cost)

    @classmethod
    def opened(cls, blob: bytes, passphrase: Secret) -> SoftwareVault:
        """The vault that was sealed.

        Raises:
            SealedStoreMalformed, WrongPassphrase: see `sealing.unseal`; also malformed is a store that opens and holds
                something other than keys.
        """
        kind, payload = unseal(blob, passphrase)
        vault = cls(kind)
        try:
            entries = json.loads(payload)
            if isinstance(entries, dict):
                vault._tag_key = Secret(bytes.fromhex(entries["tag"]))
                entries = entries["keys"]
            for entry in entries:
                vault._restore(**entry)
        except (KeyError, TypeError, ValueError, RecursionError, VaultError):  # not told in detail: it may quote a key
            number = len(vault._infos) + 1
            reason = f"the key store opens, but entry {number} of it is no key that this version of Kaguan can use"
            raise SealedStoreMalformed(reason) from None
        return vault

    def infos(self) -> Iterator[KeyInfo]:
        """Every key of the vault, by label and version."""
        return iter([self._infos[name] for name in sorted(self._infos)])

    def info(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key that the reference starts from.

        Raises:
            KeyAbsent: the vault holds no such label and version.
        """
        try:
            return self._infos[ref.label, ref.version]
        except KeyError:
            raise KeyAbsent(f"the vault holds no key {ref.label!r} of version {ref.version}") from None

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The check value of the derived key; also of a master key."""
        self.info(ref)
        value = self._value(ref)
        return check_value(value.key.reveal(), value.algorithm)

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own."""
        return self._cipher(ref, Verb.ENCIPHER).encrypt(data)

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data."""
        return mac4(self._cipher(ref, Verb.MAC), data, iv)

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
        worker = self._cipher(ref, Verb.PROTECT)
        if append is not None:
            data = appended(self, ref, append, self._revealed, encrypted=encrypted)
            command = command._replace(data=command.data + data)
        return messaging.protect(worker, scheme, command, challenge, encrypted=encrypted)

    def seal_secret(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed under a key for records."""
        return close_secret(self._bureau_key(ref, Verb.SEAL), secret, about)

    def open_secret(self, ref: KeyRef, blob: bytes, about: bytes) -> Secret:
        """The secret that was sealed under this key, about this."""
        return disclose_secret(self._bureau_key(ref, Verb.SEAL), blob, about)

    def mac_long(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data under a key for audits."""
        return cmac(self._bureau_key(ref, Verb.MAC_LONG), data)

    def __repr__(self) -> str:
        return f"<SoftwareVault {self.kind}, {len(self._infos)} keys>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SoftwareVault holds keys and is not to be pickled or copied; use `sealed`")

    def _revealed(self, ref: KeyRef) -> bytes:
        return self._value(ref).key.reveal()

    def _restore(self, *, label: str, version: int, algorithm: str, usage: str, levels: int, key: str) -> None:
        """One entry of a sealed store is in the vault again."""
        if type(label) is not str or type(version) is not int or type(levels) is not int or levels < 0:
            raise TypeError
        self._require_absent(label, version)
        kind, secret = Algorithm(algorithm), Secret(bytes.fromhex(key))
        made = check_value(secret.reveal(), kind)
        self._add(KeyInfo(label, version, kind, Usage(usage), made, levels), secret)

    def _whole(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key itself, with nothing derived from it."""
        if ref.steps:
            raise UsageForbidden(f"{ref}: a key travels whole, or is erased whole, never one derived from it")
        return self.info(ref)

    def _require_absent(self, label: str, version: int) -> None:
        if (label, version) in self._infos:
            raise KeyPresent(f"the vault already holds {label!r} of version {version}: use the next version")

    def _add(self, info: KeyInfo, key: Secret) -> None:
        self._infos[info.label, info.version] = info
        self._keys[info.label, info.version] = key

    def _bureau_key(self, ref: KeyRef, verb: Verb) -> Secret:
        require_bureau_verb(self.info(ref), ref, verb)
        return self._keys[ref.label, ref.version]

    def _cipher(self, ref: KeyRef, verb: Verb) -> BlockCipher:
        require_verb(self.info(ref), ref, verb)
        key, algorithm = self._value(ref)
        make = fresh_cipher if _is_session(ref) else cipher
        return make(key.reveal(), algorithm)

    def _value(self, ref: KeyRef) -> _Value:
        """The derived key; session keys are not remembered, since they never come back."""
        return self._derived(ref) if _is_session(ref) else self._remembered(ref)

    def _derived(self, ref: KeyRef) -> _Value:
        if not ref.steps:
            return _Value(self._keys[ref.label, ref.version], self._infos[ref.label, ref.version].algorithm)
        secret, algorithm = self._value(ref.parent)
        kind, data = ref.steps[-1]
        if kind is StepKind.DIVERSIFY:
            return _Value(Secret(diversify(secret.reveal(), data, algorithm)), algorithm)
        if kind is StepKind.SESSION:
            return _Value(Secret(session_key(secret.reveal(), data, algorithm)), session_algorithm(algorithm))
        if algorithm is not Algorithm.TDES:
            raise VaultError(f"{ref}: only a 3des key is folded, this one is {algorithm}")
        return _Value(Secret(fold(secret.reveal())), Algorithm.DES)


def _made(key: Secret, algorithm: Algorithm) -> CheckValue:
    return check_value(key.reveal(), algorithm)


def _is_session(ref: KeyRef) -> bool:
    return bool(ref.steps) and ref.steps[-1].kind is StepKind.SESSION
