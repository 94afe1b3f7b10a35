"""A new overdraft limit (修改透支限额) of the electronic deposit (JR/T 0025.2).

SK = 3DES(DUK, random ‖ online number ‖ 8000). MAC1 over balance, old limit, type, terminal; MAC2 over new limit, type,
terminal, date, time; TAC, under the folded TAC key, over new balance, online number before the change, new limit, type,
terminal, date, time. The balance that the card keeps includes the limit, and moves with it.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.purse import (
    GREATEST_SEQUENCE,
    OVERDRAFT,
    begin,
    begun_online,
    committed,
    ended,
    find_deposit,
    key_marks,
    session_worker,
    transaction_code,
)
from kaguan.card_os.image import ONE_BYTE, Proof
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import PendingTransaction
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

INITIALIZE_SIZE = 7  # key index, terminal number
UPDATE_SIZE = 14  # new limit, date, time, MAC2


def initialize_for_update(view: View, command: CommandApdu) -> Outcome:
    """Leave the session ready for UPDATE OVERDRAW LIMIT; answer balance, number, limit, key version, algorithm, random
    and MAC1.

    Refuses, in this order: 6A86 P2 other than 01, 6A82 no such purse, 6700 not 7 bytes, then as INITIALIZE FOR PURCHASE
    from 6985 on up to 9402.
    """
    address, purse = find_deposit(view, command.p2)
    if len(command.data) != INITIALIZE_SIZE:
        raise Refuse(0x6700)
    reference, terminal = command.data[0], command.data[1:]
    key = begin(view, purse.rules.overdraft, Usage.OVERDRAFT, reference)
    if purse.online_sequence == GREATEST_SEQUENCE:
        raise Refuse(0x9402)
    random = view.chip.random(4)
    number = purse.online_sequence.to_bytes(2, "big")
    worker = session_worker(key, random + number + b"\x80\x00")
    balance, limit = purse.balance_fen.to_bytes(4, "big"), purse.overdraft_limit_fen.to_bytes(3, "big")
    mac1 = mac4(worker, balance + limit + ONE_BYTE[OVERDRAFT] + terminal)
    pending = PendingTransaction(address, OVERDRAFT, 0, terminal, worker, random, reference)
    answer = balance + number + limit + key_marks(view, key) + random + mac1
    return Outcome(answer, 0x9000, view.session._replace(pending=pending))


def update_overdraw_limit(view: View, command: CommandApdu) -> Outcome:
    """Plan the new limit, and the balance that goes with it, as one group, and answer its TAC.

    Refuses, in this order: 6A86 P1 or P2, 6901 (`not_begun`) no update was begun, 6700 not 14 bytes, 9302 MAC2 wrong,
    9401 the balance is below what the limit is lowered by, 6985 (`purse.too_much`) it would be more than the purse
    may hold, 9406 no TAC key.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    pending, worker = begun_online(view, (OVERDRAFT,))
    if len(command.data) != UPDATE_SIZE:
        raise Refuse(0x6700)
    limit, when, mac2 = command.data[:3], command.data[3:10], command.data[10:]
    fields = limit + ONE_BYTE[OVERDRAFT] + pending.terminal + when
    if not hmac.compare_digest(mac4(worker, fields), mac2):
        raise Refuse(0x9302)
    purse = view.image.purses[pending.purse]
    sequence, limit_fen = purse.online_sequence, int.from_bytes(limit, "big")
    balance_fen = purse.balance_fen + limit_fen - purse.overdraft_limit_fen
    if balance_fen < 0:
        raise Refuse(0x9401)
    if balance_fen > purse.rules.max_balance_fen:
        raise Refuse(view.chip.behaviour.purse.too_much)
    proven = balance_fen.to_bytes(4, "big") + sequence.to_bytes(2, "big") + fields
    tac = transaction_code(view, pending.key_reference, proven)
    updated = purse.after_online(balance_fen, Proof(OVERDRAFT, sequence, mac2, tac))
    updated = updated._replace(overdraft_limit_fen=limit_fen)
    return Outcome(tac, 0x9000, ended(view), (committed(view, pending, updated, sequence, when),))
