"""Unload (圈提): money goes back from the electronic deposit to the account (JR/T 0025.2).

SK = 3DES(DULK, random ‖ online number ‖ 8000). MAC1 over balance, amount, type, terminal; MAC2 over amount, type,
terminal, date, time; MAC3, under the same session key, over new balance, online number before the unload, amount, type,
terminal, date, time. There is no TAC; what stands for it in the proof, and whether an unload may take from the
overdraft limit, the profile says.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.purse import (
    GREATEST_SEQUENCE,
    UNLOAD,
    begin,
    begun_online,
    committed,
    ended,
    find_deposit,
    initialize_fields,
    key_marks,
    session_worker,
)
from kaguan.card_os.image import ONE_BYTE, Proof
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import PendingTransaction
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

DEBIT_SIZE = 11  # date, time, MAC2


def initialize_for_unload(view: View, command: CommandApdu) -> Outcome:
    """Leave the session ready for DEBIT FOR UNLOAD; answer balance, number, key version, algorithm, random, MAC1.

    Refuses, in this order: 6A86 P2 other than 01, then as INITIALIZE FOR PURCHASE from 6A82 on.
    """
    address, purse = find_deposit(view, command.p2)
    reference, amount_fen, terminal = initialize_fields(command.data)
    key = begin(view, purse.rules.unload, Usage.UNLOAD, reference)
    if purse.online_sequence == GREATEST_SEQUENCE:
        raise Refuse(0x9402)
    reserved_fen = 0 if view.chip.behaviour.purse.unload_from_limit else purse.overdraft_limit_fen
    if amount_fen > purse.balance_fen - reserved_fen:
        raise Refuse(0x9401)
    random = view.chip.random(4)
    number = purse.online_sequence.to_bytes(2, "big")
    worker = session_worker(key, random + number + b"\x80\x00")
    balance = purse.balance_fen.to_bytes(4, "big")
    mac1 = mac4(worker, balance + command.data[1:5] + ONE_BYTE[UNLOAD] + terminal)
    pending = PendingTransaction(address, UNLOAD, amount_fen, terminal, worker, random, reference)
    answer = balance + number + key_marks(view, key) + random + mac1
    return Outcome(answer, 0x9000, view.session._replace(pending=pending))


def debit_for_unload(view: View, command: CommandApdu) -> Outcome:
    """Plan the unload as one group and answer its MAC3.

    Refuses, in this order: 6A86 P2, 6901 (`not_begun`) no unload was begun, 6700 not 11 bytes, 9302 MAC2 wrong.
    """
    if command.p2:
        raise Refuse(0x6A86)
    pending, worker = begun_online(view, (UNLOAD,))
    if len(command.data) != DEBIT_SIZE:
        raise Refuse(0x6700)
    when, mac2 = command.data[:7], command.data[7:]
    fields = pending.amount_fen.to_bytes(4, "big") + ONE_BYTE[UNLOAD] + pending.terminal + when
    if not hmac.compare_digest(mac4(worker, fields), mac2):
        raise Refuse(0x9302)
    purse = view.image.purses[pending.purse]
    sequence = purse.online_sequence
    balance_fen = purse.balance_fen - pending.amount_fen
    mac3 = mac4(worker, balance_fen.to_bytes(4, "big") + sequence.to_bytes(2, "big") + fields)
    proof = Proof(UNLOAD, sequence, mac3, view.chip.behaviour.purse.unload_tac)
    unloaded = purse.after_online(balance_fen, proof)
    return Outcome(mac3, 0x9000, ended(view), (committed(view, pending, unloaded, sequence, when),))
