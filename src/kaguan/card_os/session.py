"""What the chip forgets when the power goes."""

from __future__ import annotations

from typing import NamedTuple

from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.image import MASTER_FILE, NO_STATE, Address
from kaguan.card_os.profile.model import Behaviour
from kaguan.card_os.profile.rules import DF_STATE, LOCAL, MF_STATE
from kaguan.card_os.writes import PutRecord
from kaguan.vault.ciphers import BlockCipher

TRANSPORT_RIGHT = 0x200
"""The right of whoever holds the transport key; it rules the chip until it is sealed, and nothing afterwards."""

SPENT = 0x201
"""No right but its opposite: a transaction is done, and the next one waits for a PIN or a key."""

FRESH = 0x202
"""The right of whoever found a native dedicated file empty: rules of files do not hold until it is left."""

NO_RIGHTS: frozenset[int] = frozenset()

_new = tuple.__new__  # as in `apdu.command`


class PendingTransaction(NamedTuple):
    """A purse transaction that INITIALIZE began and the very next command may finish. `cache` holds the records that a
    composite purchase will write."""

    purse: Address
    transaction_type: int
    amount_fen: int
    terminal: bytes
    session_cipher: BlockCipher | None  # a load's; a purchase makes it when the terminal's number is known
    random: bytes
    key_reference: int
    cache: tuple[PutRecord, ...] = ()
    shares: bytes = b""  # a medical purchase's three amounts

    def __repr__(self) -> str:
        return f"<PendingTransaction of type {self.transaction_type:02X}, {len(self.cache)} records>"


class ModulePurchase(NamedTuple):
    """A purchase for which a security module has made MAC1; the very next command may bring the card's MAC2."""

    dedicated: Address
    key_reference: int
    key_version: int
    mac2: bytes

    def __repr__(self) -> str:
        return "<ModulePurchase>"


class LentKey(NamedTuple):
    """A key that a security module has made for the terminal; only DESCRYPT keeps it for the command after.

    `chain` is the last block of a MAC that is not finished.
    """

    cipher: BlockCipher
    enciphers: bool
    authenticates: bool
    chain: bytes = b""

    def __repr__(self) -> str:
        return "<LentKey>"


ModuleState = ModulePurchase | LentKey


class Session(NamedTuple):
    """Where the reader stands, what it has shown, and what it is in the middle of.

    `current` is the dedicated file, `file` the elementary one (None until one is selected), `record` the current
    record's number (0: none), `waiting` what GET RESPONSE will bring, and `waiting_sw` the word that follows its end.
    """

    current: Address = MASTER_FILE
    file: Address | None = None
    record: int = 0
    rights: frozenset[int] = NO_RIGHTS
    challenge: bytes = b""
    pending: PendingTransaction | None = None
    waiting: bytes = b""
    waiting_sw: int = 0x9000
    module: ModuleState | None = None

    def __repr__(self) -> str:
        return (
            f"<Session in {self.current.hex().upper()}, {len(self.rights)} rights, {len(self.waiting)} bytes waiting>"
        )

    def at(self, file: Address, record: int = 0) -> Session:
        """Standing in this elementary file with the rights that it has; nothing is begun."""
        return _new(Session, (self[0], file, record, self[3], b"", None, b"", 0x9000, None))

    def begun(self, pending: PendingTransaction) -> Session:
        """Standing where it stands, in the middle of this transaction."""
        current, file, record, rights, _, _, _, _, _ = self
        return _new(Session, (current, file, record, rights, b"", pending, b"", 0x9000, None))

    def with_rights(self, rights: frozenset[int]) -> Session:
        """Standing where it stands with these rights; nothing is begun."""
        current, file, record, _, _, _, _, _, _ = self
        return _new(Session, (current, file, record, rights, b"", None, b"", 0x9000, None))


NATIVE_START = frozenset({DF_STATE, MF_STATE})
"""The rights of a native card after reset: both registers stand at 0."""


def start_of(behaviour: Behaviour) -> Session:
    """The session that such a card begins after reset."""
    return Session(rights=NATIVE_START) if CommandSet.NATIVE in behaviour.commands else Session()


def with_state(rights: frozenset[int], current: Address, state: int) -> frozenset[int]:
    """The rights once a key or a PIN has set the register; in the master file it sets both."""
    registers = DF_STATE | MF_STATE if current == MASTER_FILE else DF_STATE
    kept = frozenset(right for right in rights if not right & registers)
    return kept | {DF_STATE | state} | ({MF_STATE | state} if current == MASTER_FILE else NO_RIGHTS)


def earned(rights: frozenset[int], current: Address, right: int, next_state: int) -> frozenset[int]:
    """The rights once a key or a PIN was shown: a right more, and on a native card another state."""
    gained = rights | {right} if next_state == NO_STATE else with_state(rights | {right}, current, next_state)
    return gained - {SPENT} if SPENT in gained else gained


def settled(session: Session) -> Session:
    """The session that a command leaves unless it says otherwise: challenge, begun transaction and waiting bytes are
    gone, because they serve the next command only (law 4)."""
    current, file, record, rights, challenge, pending, waiting, _, module = session
    if challenge or pending or waiting or module:
        return _new(Session, (current, file, record, rights, b"", None, b"", 0x9000, None))
    return session


def rights_after_move(rights: frozenset[int], here: Address, there: Address) -> frozenset[int]:
    """The rights that survive selecting another dedicated file.

    Inside one application (the same first file below the master file) global PINs and keys stay, those local to the
    file that is left go; another application forgets everything (law 4). A native card keeps its master file's state
    and begins every dedicated file at state 0, the one it is in included.
    """
    if not rights:
        return rights
    if DF_STATE & max(rights) or MF_STATE & max(rights):
        return frozenset(right for right in rights if right & MF_STATE) | {DF_STATE}
    if here == there:
        return rights
    if here[:4] != there[:4]:
        return rights & {TRANSPORT_RIGHT}
    return frozenset(right for right in rights if not right & LOCAL)
