"""What the purse's commands share: finding it, its keys, its sums, and its log (JR/T 0025.2).

Law. A transaction is one group of writes: balance, counter, log record, and the MAC and TAC that prove it.
"""

from __future__ import annotations

from kaguan.card_os.access import find_key, first_key, require
from kaguan.card_os.commands.records import push
from kaguan.card_os.image import ONE_BYTE, Address, CardKey, Proof, Purse
from kaguan.card_os.outcome import Refuse, View
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE
from kaguan.card_os.profile.model import AfterTransaction, LogLayout, LogSequence, OverdraftLog
from kaguan.card_os.profile.rules import AccessRule
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


def find_deposit(view: View, purse_type: int) -> tuple[Address, Purse]:
    """The electronic deposit of the current application, for what a purse proper does not do.

    Refuses: 6A86 another type, 6A82 the application has no electronic deposit.
    """
    if purse_type != DEPOSIT:
        raise Refuse(0x6A86)
    return find_purse(view, purse_type)


def begin(view: View, rule: AccessRule) -> None:
    """Return when a transaction with this rule may begin.

    Refuses, in this order: 6985 one is done and nothing was shown since (where the card forgets so), 6982 rights.
    """
    if SPENT in view.session.rights:
        raise Refuse(0x6985)
    require(view, rule)


def ended(view: View) -> Session:
    """The session after a finished transaction: as it was, or poorer by its rights where the card forgets them."""
    setting = view.chip.behaviour.after_transaction
    session = view.session
    if setting is AfterTransaction.KEPT:
        return session
    here, rights = session.current, session.rights
    # A native card falls back to state 0, which is a right too; other cards to none.
    native = rights_after_move(rights, here, here)
    kept = NO_RIGHTS if native == rights else native
    return session._replace(rights=kept | {SPENT} if setting is AfterTransaction.SPENT else kept)


def begun(view: View, *kinds: int) -> PendingTransaction:
    """The transaction of one of these types that the command before began.

    Refuses: the profile's word (6901) there is none.
    """
    pending = view.pending
    if pending is None or pending.transaction_type not in kinds:
        raise Refuse(view.chip.behaviour.not_begun)
    return pending


def begun_online(view: View, *kinds: int) -> tuple[PendingTransaction, BlockCipher]:
    """The same, of types that have their session cipher from the beginning, and the cipher.

    Refuses: as `begun`.
    """
    pending = begun(view, *kinds)
    if pending.session_cipher is None:
        raise Refuse(view.chip.behaviour.not_begun)
    return pending, pending.session_cipher


def session_worker(key: CardKey, block: bytes) -> BlockCipher:
    """The cipher of one transaction, its key made from this block."""
    secret = session_key(key.value, block, key.algorithm)
    return fresh_cipher(secret, session_algorithm(key.algorithm))


def purse_key(view: View, usage: Usage, reference: int) -> CardKey:
    """The key with that index.

    Refuses, in this order: 9403 no such key, 6982 not the key's time.
    """
    key = find_key(view, usage, reference, absent=0x9403)[1]
    require(view, key.use)
    return key


def key_marks(key: CardKey) -> bytes:
    """The key's version and algorithm identifier, as the answers of INITIALIZE carry them."""
    code = ALGORITHM_CODE[key.algorithm] if key.code is None else ONE_BYTE[key.code]
    return ONE_BYTE[key.version] + code


def transaction_code(view: View, fields: bytes) -> bytes:
    """The TAC over these fields, under the folded TAC key, the application's first: cards have one.

    Refuses: 9406 the application has no TAC key.
    """
    key = first_key(view, Usage.TAC, absent=0x9406)[1]
    return mac4(folded_cipher(key), fields)


def folded_cipher(key: CardKey) -> BlockCipher:
    """Single DES under the left half xor the right half of a 3DES key; other keys as they are."""
    if key.algorithm is not Algorithm.TDES:
        return cipher(key.value, key.algorithm)
    return cipher(fold(key.value), Algorithm.DES)


def committed(
    view: View, pending: PendingTransaction, purse: Purse, sequence: int, when: bytes, mac: bytes, tac: bytes
) -> Group:
    """The one group of writes that is the transaction: the purse as it will be, its proof, its log record, and the
    records of a composite purchase.

    `purse` has the new balance and counters, `sequence` is the number before the increment, `when` date and time.
    """
    proven = purse._replace(proof=Proof(pending.transaction_type, sequence, mac, tac))
    group: Group = (PutPurse(pending.purse, proven), *pending.cache)
    loaded = pending.transaction_type in LOAD_OF.values()
    address = purse.rules.load_log if loaded and purse.rules.load_log else purse.rules.log
    log = view.image.files.get(address)
    if log is None:
        return group
    behaviour = view.chip.behaviour
    shown = sequence if behaviour.log_sequence is LogSequence.BEFORE else sequence + 1
    if pending.transaction_type == OVERDRAFT and behaviour.overdraft_log is OverdraftLog.CHANGE:
        moved = purse.balance_fen - view.image.purses[pending.purse].balance_fen
        pending = pending._replace(amount_fen=abs(moved))
    return (*group, push(address, log, _log_record(purse, pending, shown, when)))


def _log_record(purse: Purse, pending: PendingTransaction, sequence: int, when: bytes) -> bytes:
    if purse.rules.log_layout is LogLayout.MEDICAL:
        # number cn2, type an1, terminal cn6, time cn7, then three amounts cn4: personal account, own share, pool
        character = ONE_BYTE[ord("0") + pending.transaction_type]
        amounts = _digits(pending.amount_fen, 4) + bytes(8)
        return _digits(sequence, 2) + character + pending.terminal + when + amounts
    number, amount = sequence.to_bytes(2, "big"), pending.amount_fen.to_bytes(4, "big")
    limit = purse.overdraft_limit_fen.to_bytes(3, "big")
    return number + limit + amount + ONE_BYTE[pending.transaction_type] + pending.terminal + when


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
