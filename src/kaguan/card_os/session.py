"""What the chip forgets when the power goes."""

from __future__ import annotations

from typing import NamedTuple

from kaguan.card_os.image import MASTER_FILE, Address
from kaguan.card_os.profile.rules import LOCAL
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


def settled(session: Session) -> Session:
    """The session that a command leaves unless it says otherwise: challenge, begun transaction and waiting bytes are
    gone, because they serve the next command only (law 4)."""
    if session.challenge or session.pending or session.waiting:
        return Session(session.current, session.file, session.record, session.rights)
    return session


def rights_after_move(rights: frozenset[int], here: Address, there: Address) -> frozenset[int]:
    """The rights that survive selecting another dedicated file.

    Inside one application (the same first file below the master file) global PINs and keys stay, those local to the
    file that is left go; another application forgets everything (law 4).
    """
    if here == there or not rights:
        return rights
    if here[:4] != there[:4]:
        return rights & {TRANSPORT_RIGHT}
    return frozenset(right for right in rights if not right & LOCAL)
