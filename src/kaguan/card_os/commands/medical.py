"""The medical purchase of DF04: three amounts in one transaction, of which the card pays its share (LD/T 32.5).

The shapes are those that drivers send. As with every purchase SK = 3DES(DPK, random ‖ offline number ‖ last two bytes
of the terminal's number); what MAC1, MAC2 and TAC are over is the profile's to say.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.purse import (
    GREATEST_SEQUENCE,
    begin,
    begun,
    ended,
    find_purse,
    key_marks,
    last_digits,
    logged,
    purse_key,
    session_worker,
    transaction_code,
)
from kaguan.card_os.image import ONE_BYTE, Proof, Purse
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.medical import MEDICAL_PURCHASE, MedicalItem, MedicalRules, composed, shares
from kaguan.card_os.profile.model import LogSequence
from kaguan.card_os.session import PendingTransaction
from kaguan.card_os.writes import Group, PutPurse
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

INITIALIZE_SIZE = 19  # key index, three amounts, terminal number
DEBIT_SIZE = 15  # terminal's transaction number, date, time, MAC1
GREATEST_LOGGED_FEN = 99_999_999  # eight digits

_Values = dict[MedicalItem, bytes]


def initialize_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Leave the session ready for DEBIT; answer 14 bytes of the profile's, number, key version, algorithm, random.

    Refuses, in this order: 6A86 P2, 6A82 no such purse, 6700 not 19 bytes, 6985 a transaction is done and nothing was
    shown since, 6982 rights, 9403 key index, 6982 not the key's time, 9402 the counter is at its end, 6A80 an amount
    that the log cannot show, 9401 not enough money.
    """
    address, purse = find_purse(view, command.p2)
    data = command.data
    if len(data) != INITIALIZE_SIZE:
        raise Refuse(0x6700)
    reference, amounts, terminal = data[0], data[1:13], data[13:]
    key = begin(view, purse.rules.purchase, Usage.PURCHASE, reference)
    if purse.offline_sequence == GREATEST_SEQUENCE:
        raise Refuse(0x9402)
    rules = view.chip.behaviour.medical
    parts = shares(amounts)
    if any(int.from_bytes(part, "big") > GREATEST_LOGGED_FEN for part in parts.values()):
        raise Refuse(0x6A80)
    debited_fen = _debited_fen(rules, parts)
    if debited_fen > purse.balance_fen:
        raise Refuse(0x9401)
    random = view.chip.random(4)
    values = _known(amounts, purse, terminal) | {MedicalItem.BALANCE: purse.balance_fen.to_bytes(4, "big")}
    pending = PendingTransaction(
        purse=address,
        transaction_type=MEDICAL_PURCHASE,
        amount_fen=debited_fen,
        terminal=terminal,
        session_cipher=None,
        random=random,
        key_reference=reference,
        shares=amounts,
    )
    answer = composed(rules.offer, values) + values[MedicalItem.SEQUENCE] + key_marks(view, key) + random
    return Outcome(answer, 0x9000, view.session._replace(pending=pending))


def debit_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Plan the purchase as one group and answer TAC and MAC2.

    Refuses, in this order: 6A86 P2, 6901 (`not_begun`) no medical purchase was begun, 6700 not 15 bytes, 9302 MAC1
    wrong, 9406 no TAC key.
    """
    if command.p2:
        raise Refuse(0x6A86)
    pending = begun(view, (MEDICAL_PURCHASE,))
    data = command.data
    if len(data) != DEBIT_SIZE:
        raise Refuse(0x6700)
    number, when, mac1 = data[:4], data[4:11], data[11:]
    key = purse_key(view, Usage.PURCHASE, pending.key_reference)
    purse = view.image.purses[pending.purse]
    values = _known(pending.shares, purse, pending.terminal)
    values |= {MedicalItem.TERMINAL_NUMBER: number, MedicalItem.WHEN: when}
    worker = session_worker(key, pending.random + values[MedicalItem.SEQUENCE] + number[2:])
    rules = view.chip.behaviour.medical
    if not hmac.compare_digest(mac4(worker, composed(rules.mac1, values)), mac1):
        raise Refuse(0x9302)
    mac2 = mac4(worker, composed(rules.mac2, values))
    tac = transaction_code(view, pending.key_reference, composed(rules.tac, values))
    return Outcome(tac + mac2, 0x9000, ended(view), (_committed(view, pending, purse, when, mac2, tac),))


def _known(amounts: bytes, purse: Purse, terminal: bytes) -> _Values:
    return {
        **shares(amounts),
        MedicalItem.SEQUENCE: purse.offline_sequence.to_bytes(2, "big"),
        MedicalItem.TYPE: ONE_BYTE[MEDICAL_PURCHASE],
        MedicalItem.TERMINAL: terminal,
    }


def _debited_fen(rules: MedicalRules, parts: _Values) -> int:
    return sum(int.from_bytes(parts[item], "big") for item in rules.debits)


def _committed(view: View, pending: PendingTransaction, purse: Purse, when: bytes, mac: bytes, tac: bytes) -> Group:
    """The one group that is the purchase: the purse as it will be, its proof and its record in the log."""
    sequence = purse.offline_sequence
    proof = Proof(MEDICAL_PURCHASE, sequence, mac, tac)
    paid = purse.after_offline(purse.balance_fen - pending.amount_fen, proof)
    shown = sequence if view.chip.behaviour.log_sequence is LogSequence.BEFORE else sequence + 1
    record = last_digits(shown, 2) + ONE_BYTE[MEDICAL_PURCHASE] + pending.terminal + when
    record += b"".join(last_digits(int.from_bytes(part, "big"), 4) for part in shares(pending.shares).values())
    return (PutPurse(pending.purse, paid), *logged(view, purse.rules.log, record))
