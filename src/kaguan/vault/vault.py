"""A vault holds keys and works with them; no verb hands a key out.

Law 1. A master key works on nothing: with fewer than `levels` diversifications a key refuses every verb,
       because 3DES of a chosen factor with a parent key IS the child key.
Law 2. A key does what its usage allows and nothing else.
Law 3. A long-lived key enciphers nothing either: what a card calls a process key is made the same way. Only the key of
       one session does.
Law 4. A key's value leaves inside a cryptogram of a transport key alone, and only as a diversified key. A whole key
       travels between vaults in a key block of its zone's key, which obeys no other verb.
Law 5. The bureau's own keys, which seal data keys and sign what happened, have no levels and are no card's: nothing is
       derived from them, and they obey the verbs of their usage alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.messaging import Scheme
from kaguan.vault.secret import CheckValue, Secret


class KeyAbsent(VaultError):
    """The vault holds no key of that label and version."""


class KeyPresent(VaultError):
    """The vault already holds a key of that label and version, and keys are never replaced."""


class UsageForbidden(VaultError):
    """The key is there and must not do that."""


class CheckValueMismatch(VaultError):
    """The components do not make the key that was expected; nothing was stored."""


class KeyNotActive(UsageForbidden):
    """The key is not active yet, not for the moment, or no more."""


class KeyUsedUp(UsageForbidden):
    """The key has done as much as it may."""


class WrongPassphrase(VaultError):
    """The passphrase does not open the store, or the store was changed: nobody can tell which."""


class StepKind(StrEnum):
    """One way to make a key from a key."""

    DIVERSIFY = "diversify"
    SESSION = "session"
    FOLD = "fold"

    __hash__ = str.__hash__  # the same hash, without the enumeration's call: derived keys are remembered by steps


class Step(NamedTuple):
    """One derivation: how, and with which 8 bytes (none for folding)."""

    kind: StepKind
    data: bytes = b""


class KeyRef(NamedTuple):
    """The name of a key: a key in the vault, and the way down from it. It holds no key."""

    label: str
    version: int = 1
    steps: tuple[Step, ...] = ()

    def diversified(self, *factors: bytes) -> KeyRef:
        """The key one level down for each factor, in this order: province, city, card."""
        steps = tuple(Step(StepKind.DIVERSIFY, factor) for factor in factors)
        return KeyRef(self.label, self.version, self.steps + steps)

    def session(self, block: bytes) -> KeyRef:
        """The key of one transaction."""
        return KeyRef(self.label, self.version, (*self.steps, Step(StepKind.SESSION, block)))

    def folded(self) -> KeyRef:
        """The left half xor the right half."""
        return KeyRef(self.label, self.version, (*self.steps, Step(StepKind.FOLD)))

    @property
    def parent(self) -> KeyRef:
        """The key that the last step starts from."""
        return KeyRef(self.label, self.version, self.steps[:-1])

    @property
    def depth(self) -> int:
        """How many levels below the vault's own key this one is."""
        return [step[0] for step in self.steps].count(StepKind.DIVERSIFY)

    def __str__(self) -> str:
        return "/".join((f"{self.label}.{self.version}", *(step.kind for step in self.steps)))


class Verb(StrEnum):
    """What a vault does with a key."""

    ENCIPHER = "encipher"
    MAC = "mac"
    PROTECT = "protect"
    WRAP = "wrap"
    SEAL = "seal"
    MAC_LONG = "mac-long"


class Usage(StrEnum):
    """What a key is for; `verbs` says what that allows."""

    TRANSPORT = "transport"
    INTERNAL_AUTHENTICATION = "internal-authentication"
    EXTERNAL_AUTHENTICATION = "external-authentication"
    MESSAGING = "messaging"
    PIN_UNBLOCK = "pin-unblock"
    PIN_RELOAD = "pin-reload"
    LOAD = "load"
    UNLOAD = "unload"
    OVERDRAFT = "overdraft"
    PURCHASE = "purchase"
    TAC = "tac"
    DECIPHERMENT = "decipherment"
    APPLICATION_MAINTENANCE = "application-maintenance"
    SECURITY_MODULE = "security-module"
    TRANSPORT_ZONE = "transport-zone"
    PERSONALIZATION_ZONE = "personalization-zone"
    CARD_MASTER_ZONE = "card-master-zone"
    RECORDS = "records"
    AUDIT = "audit"

    __hash__ = str.__hash__  # the same hash for equal texts, without the enumeration's call: every key is found by it

    @property
    def verbs(self) -> frozenset[Verb]:
        """The verbs that a key of this usage obeys."""
        return _VERBS[self]


_MAC_ALONE = frozenset({Verb.MAC})
_VERBS: dict[Usage, frozenset[Verb]] = {
    # nothing deciphers: it would open what WRAP closes
    Usage.TRANSPORT: frozenset({Verb.WRAP, Verb.PROTECT, Verb.ENCIPHER}),
    # the MAC is the one inside the card identification code
    Usage.INTERNAL_AUTHENTICATION: frozenset({Verb.ENCIPHER, Verb.MAC}),
    Usage.EXTERNAL_AUTHENTICATION: frozenset({Verb.ENCIPHER}),
    Usage.MESSAGING: frozenset({Verb.MAC, Verb.PROTECT}),
    # PBOC protects PIN UNBLOCK with this key; the SSSE authenticates with it before the command
    Usage.PIN_UNBLOCK: frozenset({Verb.PROTECT, Verb.ENCIPHER}),
    Usage.PIN_RELOAD: _MAC_ALONE,
    Usage.LOAD: _MAC_ALONE,
    Usage.UNLOAD: _MAC_ALONE,
    Usage.OVERDRAFT: _MAC_ALONE,
    Usage.PURCHASE: _MAC_ALONE,
    Usage.TAC: _MAC_ALONE,
    Usage.DECIPHERMENT: frozenset(),  # a native card deciphers with it; no host does
    Usage.APPLICATION_MAINTENANCE: frozenset({Verb.MAC, Verb.PROTECT}),
    # a master key on its way into a module, which alone works with it
    Usage.SECURITY_MODULE: frozenset(),
    # they close key blocks, which is no verb on data
    Usage.TRANSPORT_ZONE: frozenset(),
    Usage.PERSONALIZATION_ZONE: frozenset(),
    Usage.CARD_MASTER_ZONE: frozenset(),
    Usage.RECORDS: frozenset({Verb.SEAL}),  # who may close data keys may open them
    Usage.AUDIT: frozenset({Verb.MAC_LONG}),
}
BUREAU_USAGES = frozenset({Usage.RECORDS, Usage.AUDIT})
"""What the bureau's own keys are for: AES keys without levels."""
_NO_CARDS = BUREAU_USAGES | {Usage.TRANSPORT_ZONE, Usage.PERSONALIZATION_ZONE, Usage.CARD_MASTER_ZONE}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """All that may be known of a key. `levels` is how many diversifications it needs before it works."""

    label: str
    version: int
    algorithm: Algorithm
    usage: Usage
    check_value: CheckValue
    levels: int = 1


def require_verb(info: KeyInfo, ref: KeyRef, verb: Verb) -> None:
    """Nothing happens if this key may do that.

    Raises:
        UsageForbidden: its usage does not allow the verb, it is still a master key, or it is no session's key and is to
            encipher.
    """
    if verb not in info.usage.verbs:
        raise UsageForbidden(f"{ref}: a key for {info.usage} must not {verb}")
    if ref.depth < info.levels:
        raise UsageForbidden(f"{ref}: a master key works on nothing; diversify it {info.levels} times, not {ref.depth}")
    if verb is Verb.ENCIPHER and (not ref.steps or ref.steps[-1].kind is not StepKind.SESSION):
        raise UsageForbidden(f"{ref}: 3DES of a chosen block IS a session key: encipher with the session's key")


def require_bureau_verb(info: KeyInfo, ref: KeyRef, verb: Verb) -> None:
    """Nothing happens if this key of the bureau may do that.

    Raises:
        UsageForbidden: its usage does not allow the verb, it is no AES key without levels, or one derived from it was
            named.
    """
    if verb not in info.usage.verbs:
        raise UsageForbidden(f"{ref}: a key for {info.usage} must not {verb}")
    if info.algorithm is not Algorithm.AES or info.levels or ref.steps:
        raise UsageForbidden(f"{ref}: a key for {info.usage} is an aes key without levels, used as it is")


def require_wrappable(info: KeyInfo, ref: KeyRef) -> None:
    """Nothing happens if the value of this key may be written to a card.

    Raises:
        UsageForbidden: it is no card's key but a zone's or the bureau's; it is still a master key, or a session or
            folded key, which no card stores.
    """
    if info.usage in _NO_CARDS:
        raise UsageForbidden(f"{ref}: a key for {info.usage} is no card's, and is not written to one")
    if not info.levels <= ref.depth == len(ref.steps):
        raise UsageForbidden(f"{ref}: only a key diversified {info.levels} times is written to a card")


Appendix = KeyRef | Secret | tuple[bytes | KeyRef | Secret, ...] | None
"""What follows a command's data inside the cryptogram: the value of a key or of a secret, or several pieces."""


def appended(
    vault: KeyVault, ref: KeyRef, append: Appendix, value: Callable[[KeyRef], bytes], *, encrypted: bool
) -> bytes:
    """The bytes that follow the data of a command under this key; `value` gives those of a key that may go to a card.

    Raises, in this order:
        UsageForbidden: the command is not encrypted; the key that protects it must not wrap; what it is to wrap is no
            card's own key.
    """
    if append is None:
        return b""
    if not encrypted:
        raise UsageForbidden(f"{ref}: a key or a PIN is not appended to a command in clear")
    pieces = (append,) if isinstance(append, KeyRef | Secret) else append
    if any(isinstance(piece, KeyRef) for piece in pieces):
        require_verb(vault.info(ref), ref, Verb.WRAP)

    def written(piece: bytes | KeyRef | Secret) -> bytes:
        if isinstance(piece, bytes):
            return piece
        if isinstance(piece, Secret):
            return piece.reveal()
        require_wrappable(vault.info(piece), piece)
        return value(piece)

    return b"".join(map(written, pieces))


class KeyVault(Protocol):
    """Keys by reference. Every verb raises KeyAbsent first and UsageForbidden second."""

    def infos(self) -> Iterator[KeyInfo]:
        """Every key of the vault, by label and version."""
        ...

    def info(self, ref: KeyRef) -> KeyInfo:
        """What is known of the key that the reference starts from."""
        ...

    def check_value(self, ref: KeyRef) -> CheckValue:
        """The check value of the derived key; also of a master key."""
        ...

    def encipher(self, ref: KeyRef, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own."""
        ...

    def mac(self, ref: KeyRef, data: bytes, iv: bytes = b"") -> bytes:
        """The 4-byte MAC of the data."""
        ...

    def verify_mac(self, ref: KeyRef, data: bytes, mac: bytes, iv: bytes = b"") -> bool:
        """Whether this is the MAC of the data, found in constant time."""
        return hmac.compare_digest(self.mac(ref, data, iv), mac)

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
        """The command under secure messaging, as `messaging.protect` makes it.

        For SSC the reference is the STK itself. The plaintext is the command's data followed by the value of
        `append`, or by its pieces in turn, which must be encrypted: so keys and PINs get into a card without being seen
        outside.
        """
        ...

    def seal_secret(self, ref: KeyRef, secret: Secret, about: bytes) -> bytes:
        """The secret sealed under a key for records, good for `open_secret` alone; `about` is bound in, and not in it.

        Raises:
            VaultError: the secret is too long.
        """
        raise UsageForbidden(f"{ref}: this vault has no keys of the bureau")

    def open_secret(self, ref: KeyRef, blob: bytes, about: bytes) -> Secret:
        """The secret that was sealed under this key, about this.

        Raises:
            SealBroken: it was changed, or is another key's, or about something else.
        """
        raise UsageForbidden(f"{ref}: this vault has no keys of the bureau")

    def mac_long(self, ref: KeyRef, data: bytes) -> bytes:
        """The 16-byte CMAC of the data under a key for audits."""
        raise UsageForbidden(f"{ref}: this vault has no keys of the bureau")

    def prepare(self, refs: Iterable[KeyRef]) -> None:
        """These keys, which will be written to cards, are at hand.

        A vault that calls for every key, as a token does, derives them together: one call for all that have the same
        parent. Others have nothing to do.
        """
        return
