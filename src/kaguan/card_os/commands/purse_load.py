"""Load (圈存): INITIALIZE FOR LOAD shows the card is genuine, CREDIT FOR LOAD takes the money (JR/T 0025.2).

SK = 3DES(DLK, random ‖ online number ‖ 8000). MAC1 over old balance, amount, type, terminal; MAC2 over amount, type,
terminal, date, time; TAC, under the folded TAC key, over new balance, online number before the load, amount, type,
terminal, date, time.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.commands.purse import (
    GREATEST_SEQUENCE,
    LOAD_OF,
    LOADS,
    begin,
    begun_online,
    committed,
    ended,
    find_purse,
    initialize_fields,
    key_marks,
    session_worker,
    transaction_code,
)
from kaguan.card_os.image import ONE_BYTE, Proof
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import PendingTransaction
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

CREDIT_SIZE = 11  # date, time, MAC2
_new = tuple.__new__  # as in `apdu.command`
_LOAD = Usage.LOAD  # by its own name, as in `card_os.image`


def initialize_for_load(view: View, command: CommandApdu) -> Outcome:
    """Leave the session ready for CREDIT FOR LOAD; answer balance, number, key version, algorithm, random, MAC1.

    Refuses, in this order: 6A86 P2, 6A82 no such purse, 6700 not 11 bytes, 6985 a transaction is done and nothing was
    shown since, 6982 rights, 9403 key index, 6982 not the key's time, 9402 the counter is at its end, 6985
    (`purse.too_much`) the balance would be more than the purse may hold.
    """
    address, purse = find_purse(view, command.p2)
    data, chip = command.data, view.chip
    reference, amount_fen, terminal = initialize_fields(data)
    rules, balance_fen, sequence, _, _, _ = purse
    key = begin(view, rules.load, _LOAD, reference)
    if sequence == GREATEST_SEQUENCE:
        raise Refuse(0x9402)
    if balance_fen + amount_fen > rules.max_balance_fen:
        raise Refuse(chip.behaviour.purse.too_much)
    random = chip.random(4)
    number = sequence.to_bytes(2, "big")
    worker = session_worker(key, random + number + b"\x80\x00")
    kind = LOAD_OF[command.p2]
    balance = balance_fen.to_bytes(4, "big")
    mute = key.code is not None and key.code == chip.behaviour.native.mute_algorithm
    mac1 = bytes(4) if mute else mac4(worker, balance + data[1:5] + ONE_BYTE[kind] + terminal)
    pending = _new(PendingTransaction, (address, kind, amount_fen, terminal, worker, random, reference, (), b""))
    answer = balance + number + key_marks(view, key) + random + mac1
    return _new(Outcome, (answer, 0x9000, view.session.begun(pending), ()))


def credit_for_load(view: View, command: CommandApdu) -> Outcome:
    """Plan the load as one group and answer its TAC.

    Refuses, in this order: 6A86 P1 or P2, 6901 (`not_begun`) no load was begun, 6700 not 11 bytes, 9302 MAC2 wrong,
    9406 no TAC key.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    pending, worker = begun_online(view, LOADS)
    data = command.data
    if len(data) != CREDIT_SIZE:
        raise Refuse(0x6700)
    when, mac2 = data[:7], data[7:]
    address, kind, amount_fen, terminal, _, _, reference, _, _ = pending
    fields = amount_fen.to_bytes(4, "big") + ONE_BYTE[kind] + terminal + when
    if not hmac.compare_digest(mac4(worker, fields), mac2):
        raise Refuse(0x9302)
    purse = view.image.purses[address]
    sequence = purse.online_sequence
    balance_fen = purse.balance_fen + amount_fen
    proven = balance_fen.to_bytes(4, "big") + sequence.to_bytes(2, "big") + fields
    tac = transaction_code(view, reference, proven)
    loaded = purse.after_online(balance_fen, _new(Proof, (kind, sequence, mac2, tac)))
    return _new(Outcome, (tac, 0x9000, ended(view), (committed(view, pending, loaded, sequence, when),)))
