"""VERIFY, CHANGE PIN, PIN UNBLOCK and RELOAD PIN.

Law 1. A try is spent before the digits are looked at.
Law 2. The first write is the same whether the digits are right or wrong.

The cardholder's digits are BCD, two a byte; the nibbles F behind them are filling, the first of them half a byte when
the digits are odd in number.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key, find_pin, require
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.image import CardPin
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.rules import AccessRule, pin_right
from kaguan.card_os.session import Session, earned
from kaguan.card_os.writes import PutPin
from kaguan.vault.vault import Usage

FILLING = b"\xff"


def verify(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding the PIN's right, or one try poorer and without it.

    An empty data field asks how many tries are left and costs nothing.
    Refuses, in this order: 6A86 P1, 6A88 no such PIN, 6984 not yet set, 6982 not the PIN's time, 6983 blocked, 6700
    wrong length, 6A80 no decimal digits, or filling between them.
    A wrong PIN is an outcome (63Cx), not a refusal: it writes.
    """
    if command.p1:
        raise Refuse(0x6A86)
    address, pin = find_pin(view, command.p2)
    if not pin.value:
        raise Refuse(0x6984)
    require(view, pin.use)
    tries = pin.tries_left
    if not tries:
        raise Refuse(0x6983)
    if not command.data:
        return Outcome(b"", 0x63C0 | min(tries, 15), view.session)
    offered = digits_of(pin, command.data)
    session = view.session
    spent = (PutPin(address, _with_tries(pin, tries - 1)),)
    if hmac.compare_digest(offered, pin.value):
        rights = earned(session.rights, session.current, pin_right(command.p2), pin.next_state)
        after = Session(session.current, session.file, session.record, rights)
        return Outcome(b"", 0x9000, after, (spent, (PutPin(address, _with_tries(pin, pin.tries)),)))
    return Outcome(b"", 0x63C0 | min(tries - 1, 15), _without_right(session, command.p2), (spent,))


def change_pin(view: View, command: CommandApdu) -> Outcome:
    """Plan the new PIN when the old one is right: `old FF new`. A wrong old PIN costs a try, as in VERIFY.

    The rights do not grow: who changed the PIN has not verified it. A wrong old PIN loses the right, as in VERIFY.
    Refuses, in this order: 6A88 no such PIN, 6984 not yet set, 6983 blocked, 6A80 no FF between two PINs,
    6700 a PIN of a length that the card does not take, 6A80 no decimal digits in either PIN.
    """
    address, pin = find_pin(view, command.p2)
    if not pin.value:
        raise Refuse(0x6984)
    if not pin.tries_left:
        raise Refuse(0x6983)
    old, separator, new = command.data.partition(FILLING)
    if not separator or not old:
        raise Refuse(0x6A80)
    old, new = _unfilled(pin, old), _unfilled(pin, new)
    _check_decimal(old)
    _check_decimal(new)
    spent = (PutPin(address, _with_tries(pin, pin.tries_left - 1)),)
    if not hmac.compare_digest(old, pin.value):
        return Outcome(b"", 0x63C0 | min(pin.tries_left - 1, 15), _without_right(view.session, command.p2), (spent,))
    changed = pin._replace(value=new, tries_left=pin.tries)
    return Outcome(b"", 0x9000, view.session, (spent, (PutPin(address, changed),)))


def unblock_pin(view: View, command: CommandApdu) -> Outcome:
    """Plan a full try counter (MAC alone: PIN UNBLOCK), and a new PIN as well when one is sent (RELOAD PIN).

    The unblocking key must have been authenticated. Drivers send P2 00 for PIN UNBLOCK and 01 for RELOAD PIN, but the
    purse's PIN UNBLOCK brings a PIN with 00 (JR/T 0025.2), so the data decides; the PIN is the one with reference 00.
    Refuses, in this order: 6A86 P1 or P2, 6A88 no such PIN, 6982 unblocking key not authenticated, 6A88 no messaging
    key, 6984 no challenge, 6987 no MAC, 6988 MAC or padding wrong, 6700 a PIN of a length that the card does not take,
    6A80 no decimal digits.
    """
    if command.p1 or command.p2 > 1:
        raise Refuse(0x6A86)
    address, pin = find_pin(view, 0)
    require(view, AccessRule.right(pin.unblock_key))
    _, key = find_key(view, Usage.MESSAGING, pin.messaging_key)
    plain = plain_command(view, command, key, encrypted=True)
    value = digits_of(pin, plain.data) if plain.data else pin.value
    restored = pin._replace(value=value, tries_left=pin.tries)
    return Outcome(b"", 0x9000, view.session, ((PutPin(address, restored),),))


def _without_right(session: Session, reference: int) -> Session:
    return session._replace(rights=session.rights - {pin_right(reference)})


def digits_of(pin: CardPin, data: bytes) -> bytes:
    """The digits without the filling behind them; refuses 6700 a wrong length, 6A80 filling between digits."""
    digits = _unfilled(pin, data)
    _check_decimal(digits)
    return digits


def _unfilled(pin: CardPin, data: bytes) -> bytes:
    digits = data.rstrip(FILLING)
    if not pin.min_bytes <= len(digits) <= pin.max_bytes:
        raise Refuse(0x6700)
    return digits


def _check_decimal(digits: bytes) -> None:
    if not digits.hex().removesuffix("f").isdecimal():
        raise Refuse(0x6A80)


def _with_tries(pin: CardPin, tries_left: int) -> CardPin:
    reference, value, _, tries, min_bytes, max_bytes, unblock_key, messaging_key, use, next_state = pin
    return CardPin(
        reference, value, tries_left, tries, min_bytes, max_bytes, unblock_key, messaging_key, use, next_state
    )
