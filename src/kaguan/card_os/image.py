"""The whole non-volatile memory of a chip as one value.

An address is bytes: the FIDs from the root to a file, two bytes each; for keys, PINs and purses the dedicated file's
address and what names the object inside it. Nothing here has a setter: `card_os.writes` makes the next image, which
shares all that did not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from kaguan.card_os.profile.keydata import TYPE_OF_USAGE
from kaguan.card_os.profile.model import FileKind, LogLayout
from kaguan.card_os.profile.rules import FREE, NEVER, AccessRule
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

Address = bytes
ROOT: Address = b""
MASTER_FILE: Address = b"\x3f\x00"

ONE_BYTE = tuple(bytes((value,)) for value in range(256))
_new = tuple.__new__  # as in `apdu.command`
TYPE_BYTE: Mapping[Usage, bytes] = {usage: ONE_BYTE[code] for usage, code in TYPE_OF_USAGE.items()}


class Lifecycle(IntEnum):
    """Life cycle status bytes (ISO/IEC 7816-4, table 14)."""

    CREATION = 0x01
    ACTIVATED = 0x05
    DEACTIVATED = 0x04  # blocked, can be unblocked
    TERMINATED = 0x0C  # blocked for ever


# By their own names for what every command asks: an enumeration takes ten times as long to find them.
IN_CREATION, ACTIVATED = Lifecycle.CREATION, Lifecycle.ACTIVATED


class KeyFile(NamedTuple):
    """A native card's key file: its identifier, the room it has for keys, and who may add one."""

    fid: int
    space_bytes: int
    add: AccessRule


class Region(NamedTuple):
    """What a native card keeps of a dedicated file: its room, who may create files in it and who may erase it, and its
    key file once it has one."""

    space_bytes: int
    create: AccessRule
    erase: AccessRule
    key_file: KeyFile | None


class Dedicated(NamedTuple):
    """A dedicated file. `shown` is the content of A5 in its FCI, after which the file with the short identifier
    `shown_sfi` stands as 9F0C; 0xFF as a key reference means there is none. `unblock_key` is the one of APPLICATION
    UNBLOCK, when it is not `messaging_key`."""

    name: bytes
    shown: bytes
    lock_key: int
    messaging_key: int
    lifecycle: Lifecycle
    shown_sfi: int = 0
    unblock_key: int = 0xFF
    region: Region | None = None


class Messaging(IntEnum):
    """How much secure messaging reading or writing a file needs."""

    NONE = 0
    MAC = 1
    ENCIPHERED = 2  # and a MAC


class Protection(NamedTuple):
    """The line protection of a file, and the references of the keys that do it."""

    read: Messaging = Messaging.NONE
    update: Messaging = Messaging.NONE
    read_key: int = 0
    update_key: int = 0


class Elementary(NamedTuple):
    """An elementary file: bytes when transparent, otherwise its records, a cyclic file's newest first."""

    kind: FileKind
    read: AccessRule
    update: AccessRule
    size: int
    record_size: int
    content: bytes
    records: tuple[bytes, ...]
    protection: Protection = Protection()

    def __repr__(self) -> str:
        return f"<Elementary {self.kind.name}, {len(self.content)} bytes, {len(self.records)} records>"


NO_STATE = 0xFF
"""A key or PIN that sets no state register: a card that keeps rights and no states."""


class CardKey(NamedTuple):
    """A key and the tries it has left. `use` and `change` say who may; `next_state` is what a native card's register is
    set to by a successful authentication, `messaging` what WRITE KEY over it needs there, and `code` what the key's
    record calls the algorithm, where that is told and not obeyed."""

    usage: Usage
    reference: int
    version: int
    algorithm: Algorithm
    value: bytes
    tries_left: int
    tries: int
    use: AccessRule = FREE
    change: AccessRule = FREE
    next_state: int = NO_STATE
    messaging: Messaging = Messaging.NONE
    code: int | None = None

    def with_tries(self, tries_left: int) -> CardKey:
        """The same key with so many tries left."""
        # Spelled out, because `_replace` costs three times as much and every authentication does it twice.
        usage, reference, version, algorithm, value, _, tries, use, change, next_state, messaging, code = self
        after = usage, reference, version, algorithm, value, tries_left, tries, use, change, next_state, messaging, code
        return _new(CardKey, after)

    def __repr__(self) -> str:
        return f"<CardKey {self.usage} {self.reference:02X} version {self.version}>"


class CardPin(NamedTuple):
    """A PIN in BCD, empty while it is not set."""

    reference: int
    value: bytes
    tries_left: int
    tries: int
    min_bytes: int
    max_bytes: int
    unblock_key: int
    messaging_key: int
    use: AccessRule = FREE
    next_state: int = NO_STATE

    def __repr__(self) -> str:
        return f"<CardPin {self.reference:02X}, {self.tries_left} of {self.tries} tries>"


class Proof(NamedTuple):
    """The last transaction's MAC and TAC, for GET TRANSACTION PROVE."""

    transaction_type: int
    sequence: int
    mac: bytes
    tac: bytes


class PurseRules(NamedTuple):
    """What of a purse never changes. `load_log` is where loads are logged, when not in `log`; `composite` the record
    file that composite purchases write, when it is not any file the session may update."""

    log: Address
    log_layout: LogLayout
    load: AccessRule
    purchase: AccessRule
    balance: AccessRule
    max_balance_fen: int
    unload: AccessRule = NEVER
    cash: AccessRule = NEVER
    overdraft: AccessRule = NEVER
    load_log: Address = b""
    composite: Address = b""


class Purse(NamedTuple):
    """Money and the two transaction counters. The balance includes the overdraft limit."""

    rules: PurseRules
    balance_fen: int
    online_sequence: int
    offline_sequence: int
    proof: Proof | None
    overdraft_limit_fen: int = 0

    def after_online(self, balance_fen: int, proof: Proof) -> Purse:
        """The purse with this balance after one more online transaction, proven so."""
        rules, _, online_sequence, offline_sequence, _, limit_fen = self
        return _new(Purse, (rules, balance_fen, online_sequence + 1, offline_sequence, proof, limit_fen))

    def after_offline(self, balance_fen: int, proof: Proof) -> Purse:
        """The purse with this balance after one more offline transaction, proven so."""
        rules, _, online_sequence, offline_sequence, _, limit_fen = self
        return _new(Purse, (rules, balance_fen, online_sequence, offline_sequence + 1, proof, limit_fen))


class CardImage(NamedTuple):
    """Everything that survives without power."""

    profile: str
    atr: bytes
    lifecycle: Lifecycle
    dedicated: Mapping[Address, Dedicated]
    files: Mapping[Address, Elementary]
    keys: Mapping[Address, tuple[CardKey, ...]]
    pins: Mapping[Address, CardPin]
    purses: Mapping[Address, Purse]

    def __repr__(self) -> str:
        return f"<CardImage {self.profile} {self.atr.hex().upper()} {self.lifecycle.name}>"


def key_address(dedicated: Address, usage: Usage, reference: int) -> Address:
    """Where the versions of this key are kept."""
    return dedicated + TYPE_BYTE[usage] + ONE_BYTE[reference]


def internal_file(image: CardImage, address: Address) -> bool:
    """Whether a purse or a native card's key file stands at the address: what only commands of its own reach."""
    here, fid = address[:-2], address[-2:]
    if fid[:1] == b"\0" and here + fid[1:] in image.purses:
        return True
    dedicated = image.dedicated.get(here)
    key_file = dedicated.region.key_file if dedicated and dedicated.region else None
    return key_file is not None and key_file.fid == int.from_bytes(fid, "big")


def blank_image(profile: str, atr: bytes, transport: CardKey) -> CardImage:
    """A chip as it leaves the factory: an operating system, a transport key, no files."""
    keys = {key_address(ROOT, Usage.TRANSPORT, transport.reference): (transport,)}
    return CardImage(profile, atr, Lifecycle.CREATION, {}, {}, keys, {}, {})
