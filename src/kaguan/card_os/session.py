"""What the chip forgets when the power goes."""

from __future__ import annotations

from typing import NamedTuple

from kaguan.card_os.image import MASTER_FILE, Address
from kaguan.card_os.profile.rules import DF_STATE, LOCAL, MF_STATE
from kaguan.vault.ciphers import BlockCipher

TRANSPORT_RIGHT = 0x200
"""The right of whoever holds the transport key; it rules the chip until it is sealed, and nothing afterwards."""

NO_RIGHTS: frozenset[int] = frozenset()


class PendingTransaction(NamedTuple):
    """A purse transaction that INITIALIZE began and the very next command may finish."""

    purse: Address
    transaction_type: int
    amount_fen: int
    terminal: bytes
    session_cipher: BlockCipher | None  # a load's; a purchase makes it when the terminal's number is known
    random: bytes
    key_reference: int


class Session(NamedTuple):
    """Where the reader stands, what it has shown, and what it is in the middle of.

    `current` is the dedicated file, `file` the elementary one (None until one is selected), `record` the current
    record's number (0: none), `waiting` what GET RESPONSE will bring.
    """

    current: Address = MASTER_FILE
    file: Address | None = None
    record: int = 0
    rights: frozenset[int] = NO_RIGHTS
    challenge: bytes = b""
    pending: PendingTransaction | None = None
    waiting: bytes = b""


NATIVE_START = frozenset({DF_STATE, MF_STATE})
"""The rights of a native card after reset: both registers stand at 0."""


def with_state(rights: frozenset[int], current: Address, state: int) -> frozenset[int]:
    """The rights once a key or a PIN has set the register; in the master file it sets both."""
    registers = DF_STATE | MF_STATE if current == MASTER_FILE else DF_STATE
    kept = frozenset(right for right in rights if not right & registers)
    return kept | {DF_STATE | state} | ({MF_STATE | state} if current == MASTER_FILE else NO_RIGHTS)


def settled(session: Session) -> Session:
    """The session that a command leaves unless it says otherwise: challenge, begun transaction and waiting bytes are
    gone, because they serve the next command only (law 4)."""
    if session.challenge or session.pending or session.waiting:
        return Session(session.current, session.file, session.record, session.rights)
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
