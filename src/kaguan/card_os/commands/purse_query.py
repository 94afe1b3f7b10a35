"""GET BALANCE and GET TRANSACTION PROVE: what the purse holds, and what became of the last transaction."""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.instruction import CommandSet
from kaguan.card_os.access import require
from kaguan.card_os.commands.purse import BANKING_TYPES, PURSE_OF_TYPE, find_purse
from kaguan.card_os.outcome import Outcome, Refuse, View


def get_balance(view: View, command: CommandApdu) -> Outcome:
    """Answer the balance in fen, 4 bytes.

    Refuses, in this order: 6A86 P1 or P2, 6A82 no such purse, 6700 data, 6982 rights.
    """
    if command.p1:
        raise Refuse(0x6A86)
    _, purse = find_purse(view, command.p2)
    if command.data:
        raise Refuse(0x6700)
    require(view, purse.rules.balance)
    return Outcome(purse.balance_fen.to_bytes(4, "big"), 0x9000, view.session)


def get_transaction_prove(view: View, command: CommandApdu) -> Outcome:
    """Answer MAC and TAC of the last transaction when its type (P2) and number are the ones asked for.

    A terminal that lost the answer to CREDIT or DEBIT learns here whether the card did it: the number is the one that
    INITIALIZE answered. No rights are needed: the power that was lost took the PIN with it.
    Refuses, in this order: 6A86 P1, 6700 not 2 bytes, 6A86 type, 6A82 no such purse, 9406 the last transaction is
    another one.
    """
    if command.p1:
        raise Refuse(0x6A86)
    if len(command.data) != 2:
        raise Refuse(0x6700)
    purse_type = PURSE_OF_TYPE.get(command.p2)
    if purse_type is None or (command.p2 in BANKING_TYPES and not _banking(view)):
        raise Refuse(0x6A86)
    _, purse = find_purse(view, purse_type)
    proof = purse.proof
    asked = (command.p2, int.from_bytes(command.data, "big"))
    if proof is None or (proof.transaction_type, proof.sequence) != asked:
        raise Refuse(0x9406)
    return Outcome(proof.mac + proof.tac, 0x9000, view.session)


def _banking(view: View) -> bool:
    return CommandSet.BANKING in view.chip.behaviour.commands
