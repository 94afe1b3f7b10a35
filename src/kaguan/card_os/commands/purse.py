"""What the purse's commands share: finding it, its keys, its sums, and its log (JR/T 0025.2).

Law. A transaction is one group of writes: balance, counter, log record, and the MAC and TAC that prove it.
"""

from __future__ import annotations

from kaguan.card_os.access import find_key
from kaguan.card_os.commands.records import push
from kaguan.card_os.image import ONE_BYTE, Address, CardKey, Proof, Purse
from kaguan.card_os.outcome import Refuse, View
from kaguan.card_os.profile.model import LogLayout, LogSequence
from kaguan.card_os.session import PendingTransaction
from kaguan.card_os.writes import Group, PutPurse
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher
from kaguan.vault.diversify import fold
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

DEPOSIT, WALLET = 0x01, 0x02  # P2: electronic deposit, electronic purse
LOAD_OF = {DEPOSIT: 0x01, WALLET: 0x02}
PURCHASE_OF = {DEPOSIT: 0x05, WALLET: 0x06}

GREATEST_SEQUENCE = 0xFFFF
INITIALIZE_SIZE = 11  # key index, amount, terminal number
ALGORITHM_CODE = {Algorithm.TDES: b"\x00", Algorithm.DES: b"\x01", Algorithm.SM4: b"\x03"}

_integer = int.from_bytes


def find_purse(view: View, purse_type: int) -> tuple[Address, Purse]:
    """The purse of that type in the current application.

    Refuses: 6A86 no such type, 6A82 the application has no such purse.
    """
    if purse_type not in (DEPOSIT, WALLET):
        raise Refuse(0x6A86)
    address = view.session.current + ONE_BYTE[purse_type]
    purse = view.image.purses.get(address)
    if purse is None:
        raise Refuse(0x6A82)
    return address, purse


def purse_key(view: View, usage: Usage, reference: int) -> CardKey:
    """The key with that index.

    Refuses: 9403 no such key.
    """
    return find_key(view, usage, reference, absent=0x9403)[1]


def key_marks(key: CardKey) -> bytes:
    """The key's version and algorithm identifier, as the answers of INITIALIZE carry them."""
    return ONE_BYTE[key.version] + ALGORITHM_CODE[key.algorithm]


def transaction_code(view: View, fields: bytes) -> bytes:
    """The TAC over these fields, under the folded TAC key.

    Refuses: 9406 the application has no TAC key.
    """
    key = find_key(view, Usage.TAC, 1, absent=0x9406)[1]
    return mac4(folded_cipher(key), fields)


def folded_cipher(key: CardKey) -> BlockCipher:
    """Single DES under the left half xor the right half of the key."""
    return cipher(fold(key.value), Algorithm.DES)


def committed(
    view: View, pending: PendingTransaction, purse: Purse, sequence: int, when: bytes, mac: bytes, tac: bytes
) -> Group:
    """The one group of writes that is the transaction: the purse as it will be, its proof and its log record.

    `purse` has the new balance and counters, `sequence` is the number before the increment, `when` date and time.
    """
    proven = purse._replace(proof=Proof(pending.transaction_type, sequence, mac, tac))
    group: Group = (PutPurse(pending.purse, proven),)
    log = view.image.files.get(purse.rules.log)
    if log is None:
        return group
    shown = sequence if view.chip.behaviour.log_sequence is LogSequence.BEFORE else sequence + 1
    record = _log_record(purse.rules.log_layout, pending, shown, when)
    return (*group, push(purse.rules.log, log, record))


def _log_record(layout: LogLayout, pending: PendingTransaction, sequence: int, when: bytes) -> bytes:
    if layout is LogLayout.MEDICAL:
        # number cn2, type an1, terminal cn6, time cn7, then three amounts cn4: personal account, own share, pool
        character = ONE_BYTE[ord("0") + pending.transaction_type]
        amounts = _digits(pending.amount_fen, 4) + bytes(8)
        return _digits(sequence, 2) + character + pending.terminal + when + amounts
    number, amount = sequence.to_bytes(2, "big"), pending.amount_fen.to_bytes(4, "big")
    return number + bytes(3) + amount + ONE_BYTE[pending.transaction_type] + pending.terminal + when


def _digits(number: int, size: int) -> bytes:
    """The number's last digits, two a byte (cn)."""
    return bytes.fromhex(f"{number:0{2 * size}d}"[-2 * size :])


def initialize_fields(data: bytes) -> tuple[int, int, bytes]:
    """Key index, amount in fen and terminal number that INITIALIZE brings.

    Refuses: 6700 not 11 bytes.
    """
    if len(data) != INITIALIZE_SIZE:
        raise Refuse(0x6700)
    return data[0], _integer(data[1:5], "big"), data[5:]
