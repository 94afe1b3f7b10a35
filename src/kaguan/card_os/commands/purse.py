"""What the purse's commands share: finding it, its keys, its sums, and its log (JR/T 0025.2).

Law. A transaction is one group of writes: balance, counter, log record, and the MAC and TAC that prove it.
"""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache

from kaguan.card_os.access import find_key, first_key, require
from kaguan.card_os.commands.records import push
from kaguan.card_os.image import ONE_BYTE, Address, CardKey, Purse
from kaguan.card_os.outcome import Refuse, View
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE
from kaguan.card_os.profile.model import FileKind, LogLayout, LogSequence
from kaguan.card_os.profile.purse import AfterTransaction, OverdraftLog, TacKey
from kaguan.card_os.profile.rules import FREE, AccessRule
from kaguan.card_os.session import NO_RIGHTS, SPENT, PendingTransaction, Session, rights_after_move
from kaguan.card_os.writes import Group, PutPurse
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher, fresh_cipher
from kaguan.vault.diversify import fold, session_algorithm, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

DEPOSIT, WALLET = 0x01, 0x02  # P2: electronic deposit, electronic purse
LOAD_OF = {DEPOSIT: 0x01, WALLET: 0x02}
PURCHASE_OF = {DEPOSIT: 0x05, WALLET: 0x06}
UNLOAD, CASH, OVERDRAFT, COMPOSITE = 0x03, 0x04, 0x07, 0x09  # transaction types of one purse alone

BANKING_TYPES = frozenset({UNLOAD, CASH, OVERDRAFT, COMPOSITE})
"""Types that only cards with the banking commands know."""

PURSE_OF_TYPE = {code: purse for table in (LOAD_OF, PURCHASE_OF) for purse, code in table.items()} | {
    UNLOAD: DEPOSIT,
    CASH: DEPOSIT,
    OVERDRAFT: DEPOSIT,
    COMPOSITE: WALLET,
    MEDICAL_PURCHASE: DEPOSIT,
}

LOADS = frozenset(LOAD_OF.values())
PURCHASES = frozenset({*PURCHASE_OF.values(), CASH, COMPOSITE})

GREATEST_SEQUENCE = 0xFFFF
INITIALIZE_SIZE = 11  # key index, amount, terminal number
_MARKS = {Algorithm.TDES: b"\x00", Algorithm.DES: b"\x01"}
_NO_SHARES = bytes(8)
_WITH_DIGITS = tuple(100**size for size in range(5))

# By their own names, as in `card_os.image`.
_CYCLIC, _MEDICAL, _BEFORE, _KEPT = FileKind.CYCLIC, LogLayout.MEDICAL, LogSequence.BEFORE, AfterTransaction.KEPT
_TDES, _TAC, _BY_INDEX, _LIMIT_CHANGE = Algorithm.TDES, Usage.TAC, TacKey.INDEX, OverdraftLog.CHANGE

_CHARACTER = ord("0")
_new = tuple.__new__  # as in `apdu.command`
_integer = int.from_bytes


def find_purse(view: View, purse_type: int) -> tuple[Address, Purse]:
    """The purse of that type in the current application.

    Refuses: 6A86 no such type, 6A82 the application has no such purse.
    """
    if purse_type not in LOAD_OF:
        raise Refuse(0x6A86)
    address = view.session.current + ONE_BYTE[purse_type]
    purse = view.image.purses.get(address)
    if purse is None:
        raise Refuse(0x6A82)
    return address, purse


def find_deposit(view: View, purse_type: int) -> tuple[Address, Purse]:
    """The electronic deposit of the current application, for what a purse proper does not do.

    Refuses: 6A86 another type, 6A82 the application has no electronic deposit.
    """
    if purse_type != DEPOSIT:
        raise Refuse(0x6A86)
    return find_purse(view, purse_type)


def begin(view: View, rule: AccessRule, usage: Usage, reference: int) -> CardKey:
    """The key with that index, for a transaction that may begin by this rule.

    Refuses, in this order: 6985 one is done and nothing was shown since (where the card forgets so), 6982 rights, then
    as `purse_key`.
    """
    if SPENT in view.session.rights:
        raise Refuse(0x6985)
    require(view, rule)
    return purse_key(view, usage, reference)


def ended(view: View) -> Session:
    """The session after a finished transaction: as it was, or poorer by its rights where the card forgets them."""
    setting = view.chip.behaviour.after_transaction
    session = view.session
    if setting is _KEPT:
        return session
    here, rights = session.current, session.rights
    # A native card falls back to state 0, which is a right too; other cards to none.
    native = rights_after_move(rights, here, here)
    kept = NO_RIGHTS if native == rights else native
    return session._replace(rights=kept | {SPENT} if setting is AfterTransaction.SPENT else kept)


def begun(view: View, kinds: Container[int]) -> PendingTransaction:
    """The transaction of one of these types that the command before began.

    Refuses: the profile's word (6901) there is none.
    """
    pending = view.pending
    if pending is None or pending.transaction_type not in kinds:
        raise Refuse(view.chip.behaviour.not_begun)
    return pending


def begun_online(view: View, kinds: Container[int]) -> tuple[PendingTransaction, BlockCipher]:
    """The same, of types that have their session cipher from the beginning, and the cipher.

    Refuses: as `begun`.
    """
    pending = begun(view, kinds)
    worker = pending.session_cipher
    if worker is None:
        raise Refuse(view.chip.behaviour.not_begun)
    return pending, worker


def session_worker(key: CardKey, block: bytes) -> BlockCipher:
    """The cipher of one transaction, its key made from this block."""
    algorithm = key.algorithm
    return fresh_cipher(session_key(key.value, block, algorithm), session_algorithm(algorithm))


def purse_key(view: View, usage: Usage, reference: int) -> CardKey:
    """The key with that index.

    Refuses, in this order: 9403 no such key, 6982 not the key's time.
    """
    key = find_key(view, usage, reference, absent=0x9403)[1]
    if key.use is not FREE:
        require(view, key.use)
    return key


def key_marks(view: View, key: CardKey) -> bytes:
    """The key's version and algorithm identifier, as the answers of INITIALIZE carry them."""
    return ONE_BYTE[key.version] + algorithm_mark(view, key)


def algorithm_mark(view: View, key: CardKey) -> bytes:
    """The identifier of the key's algorithm: what its record says, where that is told; for SM4 the profile's."""
    if key.code is not None:
        return ONE_BYTE[key.code]
    return _MARKS.get(key.algorithm) or ONE_BYTE[view.chip.behaviour.purse.sm4_mark]


def transaction_code(view: View, reference: int, fields: bytes) -> bytes:
    """The TAC over these fields, under the folded TAC key: the application's first, or the one with the reference that
    the transaction's own key has, as the profile says.

    Refuses: 9406 the application has no such TAC key.
    """
    if view.chip.behaviour.purse.tac_key is _BY_INDEX:
        key = find_key(view, _TAC, reference, absent=0x9406)[1]
    else:
        key = first_key(view, _TAC, absent=0x9406)[1]
    return mac4(folded_cipher(key), fields)


def folded_cipher(key: CardKey) -> BlockCipher:
    """Single DES under the left half xor the right half of a 3DES key; other keys as they are."""
    if key.algorithm is not _TDES:
        return cipher(key.value, key.algorithm)
    return _folded(key.value)


@lru_cache(maxsize=1024)
def _folded(key: bytes) -> BlockCipher:
    """Remembered as `cipher` is, so that a key is folded once and not by each transaction."""
    return cipher(fold(key), Algorithm.DES)


def committed(view: View, pending: PendingTransaction, purse: Purse, sequence: int, when: bytes) -> Group:
    """The one group of writes that is the transaction: the purse as it will be, its log record, and the records of a
    composite purchase.

    `purse` has the new balance, counters and proof, `sequence` is the number before the increment, `when` date and
    time.
    """
    address, kind, amount_fen, terminal, _, _, _, cache, _ = pending
    rules, behaviour = purse.rules, view.chip.behaviour
    log = (kind in LOADS and rules.load_log) or rules.log
    shown = sequence if behaviour.log_sequence is _BEFORE else sequence + 1
    if kind == OVERDRAFT and behaviour.overdraft_log is _LIMIT_CHANGE:
        amount_fen = abs(purse.balance_fen - view.image.purses[address].balance_fen)
    if rules.log_layout is _MEDICAL:
        # number cn2, type an1, terminal cn6, time cn7, then three amounts cn4: personal account, own share, pool
        amount = last_digits(amount_fen, 4)
        record = last_digits(shown, 2) + ONE_BYTE[_CHARACTER + kind] + terminal + when + amount + _NO_SHARES
    else:
        limit, amount = purse.overdraft_limit_fen.to_bytes(3, "big"), amount_fen.to_bytes(4, "big")
        record = shown.to_bytes(2, "big") + limit + amount + ONE_BYTE[kind] + terminal + when
    return (_new(PutPurse, (address, purse)), *cache, *logged(view, log, record))


def logged(view: View, address: Address, record: bytes) -> Group:
    """The write that puts the record into the log; none where there is no log, or a file of that name that is none."""
    log = view.image.files.get(address)
    if log is None or log.record_size != len(record) or log.kind is not _CYCLIC:
        return ()
    return (push(address, log, record),)


def last_digits(number: int, size: int) -> bytes:
    """The number's last digits, two a byte (cn)."""
    return int(str(number % _WITH_DIGITS[size]), 16).to_bytes(size, "big")


def initialize_fields(data: bytes) -> tuple[int, int, bytes]:
    """Key index, amount in fen and terminal number that INITIALIZE brings.

    Refuses: 6700 not 11 bytes.
    """
    if len(data) != INITIALIZE_SIZE:
        raise Refuse(0x6700)
    return data[0], _integer(data[1:5], "big"), data[5:]
