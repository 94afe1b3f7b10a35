"""Purchase, cash withdrawal (取现) and composite purchase: INITIALIZE offers, DEBIT takes the money from the card.

SK = 3DES(DPK, random ‖ offline number ‖ last two bytes of the terminal's number). MAC1 over amount, type, terminal,
date, time; TAC over amount, type, terminal, terminal's number, date, time; MAC2 over the amount (JR/T 0025.2).
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import card_code
from kaguan.card_os.commands.purse import (
    CASH,
    COMPOSITE,
    GREATEST_SEQUENCE,
    PURCHASE_OF,
    PURCHASES,
    WALLET,
    begin,
    begun,
    committed,
    ended,
    find_deposit,
    find_purse,
    initialize_fields,
    key_marks,
    purse_key,
    session_worker,
    transaction_code,
)
from kaguan.card_os.image import ONE_BYTE, Address, Proof, Purse
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.purse import CompositeSuffix
from kaguan.card_os.profile.rules import AccessRule
from kaguan.card_os.session import PendingTransaction
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

DEBIT_SIZE = 15  # terminal's number, date, time, MAC1


def initialize_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Leave the session ready for DEBIT; answer balance, number, overdraft limit, key version, algorithm, random.

    Refuses, in this order: 6A86 P2, 6A82 no such purse, 6700 not 11 bytes, 6985 a transaction is done and nothing was
    shown since, 6982 rights, 9403 key index, 6982 not the key's time, 9402 the counter is at its end, 9401 not enough
    money.
    """
    address, purse = find_purse(view, command.p2)
    return _offered(view, command, address, purse, purse.rules.purchase, PURCHASE_OF[command.p2])


def initialize_for_cash_withdraw(view: View, command: CommandApdu) -> Outcome:
    """As INITIALIZE FOR PURCHASE, from the electronic deposit alone.

    Refuses, in this order: 6A86 P2 other than 01, then as INITIALIZE FOR PURCHASE from 6A82 on.
    """
    address, purse = find_deposit(view, command.p2)
    return _offered(view, command, address, purse, purse.rules.cash, CASH)


def initialize_for_composite_purchase(view: View, command: CommandApdu) -> Outcome:
    """As INITIALIZE FOR PURCHASE, from the purse proper alone; records may be brought before DEBIT.

    Refuses, in this order: 6A86 P2 other than 02, then as INITIALIZE FOR PURCHASE from 6A82 on.
    """
    if command.p2 != WALLET:
        raise Refuse(0x6A86)
    address, purse = find_purse(view, command.p2)
    return _offered(view, command, address, purse, purse.rules.purchase, COMPOSITE)


def _offered(view: View, command: CommandApdu, address: Address, purse: Purse, rule: AccessRule, kind: int) -> Outcome:
    reference, amount_fen, terminal = initialize_fields(command.data)
    key = begin(view, rule, Usage.PURCHASE, reference)
    if purse.offline_sequence == GREATEST_SEQUENCE:
        raise Refuse(0x9402)
    if amount_fen > purse.balance_fen:
        raise Refuse(0x9401)
    random = view.chip.random(4)
    pending = PendingTransaction(address, kind, amount_fen, terminal, None, random, reference)
    answer = (
        purse.balance_fen.to_bytes(4, "big")
        + purse.offline_sequence.to_bytes(2, "big")
        + purse.overdraft_limit_fen.to_bytes(3, "big")
        + key_marks(view, key)
        + random
    )
    return Outcome(answer, 0x9000, view.session.begun(pending))


def debit_for_purchase(view: View, command: CommandApdu) -> Outcome:
    """Plan the purchase as one group, the records of a composite one with it, and answer TAC and MAC2.

    Refuses, in this order: 6A86 P2, 6901 (`not_begun`) no purchase was begun, 6700 not 15 bytes, 9302 MAC1 wrong, 9406
    no TAC key.
    """
    if command.p2:
        raise Refuse(0x6A86)
    pending = begun(view, PURCHASES)
    if len(command.data) != DEBIT_SIZE:
        raise Refuse(0x6700)
    terminal_number, when, mac1 = command.data[:4], command.data[4:11], command.data[11:]
    key = purse_key(view, Usage.PURCHASE, pending.key_reference)
    purse = view.image.purses[pending.purse]
    sequence = purse.offline_sequence
    worker = session_worker(key, pending.random + sequence.to_bytes(2, "big") + terminal_number[2:])
    amount = pending.amount_fen.to_bytes(4, "big")
    fields = amount + ONE_BYTE[pending.transaction_type] + pending.terminal
    if not hmac.compare_digest(mac4(worker, fields + when + _suffix(view, pending)), mac1):
        raise Refuse(0x9302)
    mac2 = mac4(worker, amount)
    tac = transaction_code(view, pending.key_reference, fields + terminal_number + when)
    proof = Proof(pending.transaction_type, sequence, mac2, tac)
    paid = purse.after_offline(purse.balance_fen - pending.amount_fen, proof)
    return Outcome(tac + mac2, 0x9000, ended(view), (committed(view, pending, paid, sequence, when),))


def _suffix(view: View, pending: PendingTransaction) -> bytes:
    """What this card puts behind the fields of a composite purchase's MAC1."""
    if pending.transaction_type != COMPOSITE or view.chip.behaviour.composite_suffix is CompositeSuffix.NONE:
        return b""
    return card_code(view.image)
