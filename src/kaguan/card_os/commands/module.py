"""The security module (PSAM) of a terminal: it makes MAC1 of a purchase and checks MAC2, and lends keys of user cards.

A key of the module stands above the keys of the cards: diversified with the factors that the command brings, the card's
own first, it is the card's. Law: the module's transaction number is spent, and committed, before MAC1 is answered, so
that no power cut makes it sign two purchases with one number.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key
from kaguan.card_os.commands.purse import algorithm_mark, session_worker
from kaguan.card_os.image import MASTER_FILE, Address, CardKey, Elementary, Lifecycle
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.medical import MedicalItem, composed, shares
from kaguan.card_os.profile.module import PURCHASE_TYPE, levels_of, type_of
from kaguan.card_os.session import LentKey, ModulePurchase
from kaguan.card_os.writes import PutBytes, PutDedicated, PutKey
from kaguan.vault.ciphers import Algorithm, BlockCipher, cipher, fresh_cipher
from kaguan.vault.diversify import diversify, session_algorithm, session_key
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

FACTOR = 8
HEAD, MEDICAL_HEAD = 20, 28
"""random 4, card's number 2, amount 4 (medical: three of them), type 1, date and time 7, key version 1, algorithm 1."""

TERMINAL_NUMBER = MASTER_FILE + b"\x00\x16"
TRANSACTION_NUMBER = b"\x00\x19"
GREATEST_NUMBER = 0xFFFF_FFFF

MAC, MORE, INITIAL_VALUE = 0x01, 0x02, 0x04
"""Bits of DESCRYPT's P1; without the first it enciphers."""


def initialize_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Answer the module's transaction number and MAC1 over amount, type, terminal, date, time (JR/T 0025.9).

    Refuses, in this order: 6A86 P2, 6700 neither head nor whole factors, 9403 no purchase key of that version for so
    many factors, 6A80 another algorithm, 9303 the key is blocked, 6A82 no transaction number, 9402 it is at its end,
    6985 a single DES key, which has no levels below it.
    """
    return _signed(view, command, HEAD, _plain_fields)


def initialize_for_medical_purchase(view: View, command: CommandApdu) -> Outcome:
    """The same with three amounts; what the MACs are over is the profile's to say.

    Refuses, in this order: as INITIALIZE SAM FOR PURCHASE.
    """
    return _signed(view, command, MEDICAL_HEAD, _medical_fields)


def credit_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Leave the module knowing that the card has paid.

    Refuses, in this order: 6A86 P1 or P2, 6901 (`not_begun`) no purchase was begun, 6700 not 4 bytes.
    A wrong MAC2 is an outcome (9302, at last 9303), not a refusal: it writes. The try is spent first; the last one
    blocks the application for ever. Where the profile counts none it is 9302 and nothing else.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    begun = view.module
    if not isinstance(begun, ModulePurchase):
        raise Refuse(view.chip.behaviour.not_begun)
    if len(command.data) != len(begun.mac2):
        raise Refuse(0x6700)
    if not view.chip.behaviour.module.wrong_mac2_ends:
        right = hmac.compare_digest(begun.mac2, command.data)
        return Outcome(b"", 0x9000 if right else 0x9302, view.session)
    scope, key = find_key(view, Usage.SECURITY_MODULE, begun.key_reference, version=begun.key_version)
    left = key.tries_left - 1
    spent = (PutKey(scope, key._replace(tries_left=left)),)
    if hmac.compare_digest(begun.mac2, command.data):
        return Outcome(b"", 0x9000, view.session, (spent, (PutKey(scope, key._replace(tries_left=key.tries)),)))
    if left:
        return Outcome(b"", 0x9302, view.session, (spent,))
    ended = view.image.dedicated[begun.dedicated]._replace(lifecycle=Lifecycle.TERMINATED)
    return Outcome(b"", 0x9303, view.session, (spent, (PutDedicated(begun.dedicated, ended),)))


def lend_key(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding the card's key for DESCRYPT; P1 is the usage byte, P2 the key (JR/T 0025.9).

    Refuses, in this order: 6A88 no such key, 6985 a key that is not lent, 6700 not one factor a level, 6985 a single
    DES key, which has no levels below it.
    """
    key = _lendable(view, command, extra=0)
    value = _descended(key, command.data)
    return _lent(view, command, cipher(value, key.algorithm))


def lend_process_key(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding SK = 3DES(the card's key, the last 8 bytes) for DESCRYPT (LD/T 32.5).

    Refuses, in this order: as INITIALIZE FOR DESCRYPT.
    """
    key = _lendable(view, command, extra=FACTOR)
    value = _descended(key, command.data[:-FACTOR])
    process_key = session_key(value, command.data[-FACTOR:], key.algorithm)
    return _lent(view, command, fresh_cipher(process_key, session_algorithm(key.algorithm)))


def descrypt(view: View, command: CommandApdu) -> Outcome:
    """Answer the data enciphered (P1 = 00), or its MAC: 05 alone with an initial value in front, 07, 03 .. 01 in parts.

    Nothing is padded here: that is the terminal's work. The key stays for the next command.
    Refuses, in this order: 6A86 P1 or P2, 6901 (`not_begun`) no key is lent, 6985 the key does not do that, 6700 no
    whole blocks, 6901 (`not_begun`) no MAC was begun.
    """
    mode = command.p1
    if command.p2 or mode & ~(MAC | MORE | INITIAL_VALUE) or (mode and not mode & MAC):
        raise Refuse(0x6A86)
    lent = view.module
    if not isinstance(lent, LentKey):
        raise Refuse(view.chip.behaviour.not_begun)
    if not (lent.authenticates if mode else lent.enciphers):
        raise Refuse(0x6985)
    data, size = command.data, lent.cipher.block_size
    if not data or len(data) % size:
        raise Refuse(0x6700)
    if not mode:
        after = view.session._replace(module=lent._replace(chain=b""))
        return Outcome(lent.cipher.encrypt(data), 0x9000, after)
    return _authenticated(view, lent, mode, data)


def _authenticated(view: View, lent: LentKey, mode: int, data: bytes) -> Outcome:
    """The MAC, or its last block so far kept for the next part."""
    size = lent.cipher.block_size
    state = lent.chain
    if mode & INITIAL_VALUE:
        state, data = data[:size], data[size:]
        if not data:
            raise Refuse(0x6700)
    elif not state:
        if mode & MORE:
            raise Refuse(view.chip.behaviour.not_begun)
        state = bytes(size)
    last = len(data) if mode & MORE else len(data) - size
    for start in range(0, last, size):
        state = lent.cipher.chain(_mixed(state, data[start : start + size]))
    if mode & MORE:
        return Outcome(b"", 0x9000, view.session._replace(module=lent._replace(chain=state)))
    code = lent.cipher.finish(_mixed(state, data[last:]))[:4]
    return Outcome(code, 0x9000, view.session._replace(module=lent._replace(chain=b"")))


def _mixed(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


_Fields = Callable[[View, bytes, bytes], tuple[bytes, bytes]]


def _signed(view: View, command: CommandApdu, head: int, fields: _Fields) -> Outcome:
    data = command.data
    if command.p2:
        raise Refuse(0x6A86)
    if len(data) < head or (len(data) - head) % FACTOR:
        raise Refuse(0x6700)
    random, sequence = data[:4], data[4:6]
    version, algorithm, factors = data[head - 2], data[head - 1 : head], data[head:]
    usage = len(factors) // FACTOR << 5 | PURCHASE_TYPE
    if usage > 0xFF:
        raise Refuse(0x9403)
    _, key = find_key(view, Usage.SECURITY_MODULE, version, absent=0x9403, version=usage)
    if algorithm != algorithm_mark(view, key._replace(code=None)):
        raise Refuse(0x6A80)
    if not key.tries_left:
        raise Refuse(0x9303)
    counter, file = _transaction_number(view)
    stored = int.from_bytes(file.content[:4], "big")
    if stored == GREATEST_NUMBER:
        raise Refuse(0x9402)
    following = (stored + 1).to_bytes(4, "big")
    number = following if view.chip.behaviour.module.answers_next_number else file.content[:4]
    worker = session_worker(key._replace(value=_descended(key, factors)), random + sequence + number[2:])
    for_mac1, for_mac2 = fields(view, data[4 : head - 2], number)
    begun = ModulePurchase(view.session.current, version, usage, mac4(worker, for_mac2))
    after = view.session._replace(module=begun)
    return Outcome(number + mac4(worker, for_mac1), 0x9000, after, ((PutBytes(counter, 0, following),),))


def _plain_fields(view: View, head: bytes, number: bytes) -> tuple[bytes, bytes]:
    amount, kind, when = head[2:6], head[6:7], head[7:]
    return amount + kind + _terminal(view) + when, amount


def _medical_fields(view: View, head: bytes, number: bytes) -> tuple[bytes, bytes]:
    values = shares(head[2:14]) | {
        MedicalItem.SEQUENCE: head[:2],
        MedicalItem.TYPE: head[14:15],
        MedicalItem.WHEN: head[15:],
        MedicalItem.TERMINAL: _terminal(view),
        MedicalItem.TERMINAL_NUMBER: number,
    }
    rules = view.chip.behaviour.medical
    return composed(rules.mac1, values), composed(rules.mac2, values)


def _terminal(view: View) -> bytes:
    """The number of the terminal whose module this is; zeros where it has none, as terminals without a module send."""
    file = view.image.files.get(TERMINAL_NUMBER)
    return file.content[:6] if file is not None else bytes(6)


def _transaction_number(view: View) -> tuple[Address, Elementary]:
    address = view.session.current + TRANSACTION_NUMBER
    file = view.image.files.get(address)
    if file is None or file.size < 4:
        raise Refuse(0x6A82)
    return address, file


def _lendable(view: View, command: CommandApdu, *, extra: int) -> CardKey:
    _, key = find_key(view, Usage.SECURITY_MODULE, command.p2, version=command.p1)
    rules = view.chip.behaviour.module
    # What INITIALIZE FOR DESCRYPT and DESCRYPT do under SM4 is not public.
    if type_of(command.p1) not in rules.enciphers | rules.authenticates or key.algorithm is Algorithm.SM4:
        raise Refuse(0x6985)
    if len(command.data) != levels_of(command.p1) * FACTOR + extra:
        raise Refuse(0x6700)
    return key


def _lent(view: View, command: CommandApdu, worker: BlockCipher) -> Outcome:
    rules, kind = view.chip.behaviour.module, type_of(command.p1)
    lent = LentKey(worker, kind in rules.enciphers, kind in rules.authenticates)
    return Outcome(b"", 0x9000, view.session._replace(module=lent))


def _descended(key: CardKey, factors: bytes) -> bytes:
    """The user card's key: the factors' last is the highest level's.

    Refuses: 6985 a single DES key, which has no levels below it.
    """
    value = key.value
    if factors and key.algorithm is Algorithm.DES:
        raise Refuse(0x6985)
    for start in range(len(factors) - FACTOR, -1, -FACTOR):
        value = diversify(value, factors[start : start + FACTOR], key.algorithm)
    return value
