"""What the issuer of a purse alone may do, each with a MAC under a key of its own (JR/T 0025.2): RELOAD PIN and
PIN UNBLOCK, APPLICATION BLOCK and UNBLOCK, CARD BLOCK.

A wrong MAC takes a try of the key; with the last one the application is blocked for ever, and the answer is 9303.

Law 1. A try is spent before the MAC is looked at; the first write is the same whether it is right or wrong.
Law 2. The tries come back in the same group as the effect.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import ABSENT, current_dedicated, find_key, find_pin, first_key
from kaguan.card_os.commands.messaging import plain_command
from kaguan.card_os.commands.pin import FILLING, digits_of
from kaguan.card_os.commands.purse import folded_cipher
from kaguan.card_os.image import Address, CardKey, CardPin, Lifecycle
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.writes import PutDedicated, PutKey, PutLifecycle, PutPin, Write
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.mac import mac4
from kaguan.vault.messaging import MAC_SIZE, Scheme
from kaguan.vault.vault import Usage

PIN_REFERENCE = 0x00  # of every issuer command, whatever P2 says (FMCOS 2.0)
TEMPORARY, FOR_EVER = 0x00, 0x01
MAC_WRONG, MESSAGING_WRONG = 0x9302, 0x6988
APPLICATION_ENDED = 0x9303


def reload_pin(view: View, command: CommandApdu) -> Outcome:
    """Plan the new PIN with all its tries: `PIN MAC`, the MAC over the PIN alone, under the folded reload key.

    How that would be under SM4 is not public: an SM4 key is none.
    Refuses, in this order: 6A86 P2, 6A88 no PIN or no reload key, 9303 the key is used up, 6700 no PIN with a MAC, or a
    PIN of a length that the card does not take, 6A80 no decimal digits, or filling.
    A wrong MAC is an outcome (9302, at last 9303), not a refusal: it writes.
    """
    if command.p2:
        raise Refuse(0x6A86)
    address, pin = find_pin(view, PIN_REFERENCE)
    scope, key = _issuer_key(view, Usage.PIN_RELOAD)
    if key.algorithm is Algorithm.SM4:
        raise Refuse(0x6A88)
    offered, mac = command.data[:-MAC_SIZE], command.data[-MAC_SIZE:]
    _check_digits(pin, offered)
    if not hmac.compare_digest(mac4(folded_cipher(key), offered), mac):
        return _refused(view, scope, key, MAC_WRONG)
    return _done(view, scope, key, _restored(address, pin, offered))


def unblock_pin(view: View, command: CommandApdu) -> Outcome:
    """Plan the PIN that comes enciphered, with all its tries, under the unblocking key.

    Cards differ in P2 (00, 01); the PIN is always the one with reference 00.
    Refuses, in this order: 6A86 P1 or P2, 6A88 no PIN or no unblocking key, 9303 the key is used up, 6984 no challenge,
    6987 no MAC, 6988 padding wrong, 6700 no PIN that the card takes, 6A80 no
    decimal digits, or filling.
    A wrong MAC is an outcome (6988, at last 9303), not a refusal: it writes.
    """
    if command.p1 or command.p2 > 1:
        raise Refuse(0x6A86)
    address, pin = find_pin(view, PIN_REFERENCE)
    scope, key = _issuer_key(view, Usage.PIN_UNBLOCK)
    if not _authentic(view, command, key):
        return _refused(view, scope, key, MESSAGING_WRONG)
    offered = plain_command(view, command, key, encrypted=True, scheme=Scheme.PBOC).data
    _check_digits(pin, offered)
    return _done(view, scope, key, _restored(address, pin, offered))


def block_application(view: View, command: CommandApdu) -> Outcome:
    """Plan the current application's end: P2 00 until it is unblocked, 01 for ever.

    Refuses, in this order: 6A86 P1 or P2, 6A81 no files, 6A88 no maintenance key, 9303 the key is used up,
    6700 more than a MAC, 6984 no challenge, 6987 no MAC.
    A wrong MAC is an outcome (6988, at last 9303), not a refusal: it writes.
    """
    if command.p1 or command.p2 not in (TEMPORARY, FOR_EVER):
        raise Refuse(0x6A86)
    lifecycle = Lifecycle.TERMINATED if command.p2 == FOR_EVER else Lifecycle.DEACTIVATED
    return _maintained(view, command, current_dedicated(view).messaging_key, _lifecycle(view, lifecycle))


def unblock_application(view: View, command: CommandApdu) -> Outcome:
    """Plan the current application's return.

    Refuses, in this order: 6A86 P1 or P2, 6A81 no files, 9303 blocked for ever, 6985 not blocked, then as APPLICATION
    BLOCK (purse) from 6A88 on.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    dedicated = current_dedicated(view)
    if dedicated.lifecycle is Lifecycle.TERMINATED:
        raise Refuse(APPLICATION_ENDED)
    if dedicated.lifecycle is Lifecycle.ACTIVATED:
        raise Refuse(0x6985)
    reference = dedicated.messaging_key if dedicated.unblock_key == ABSENT else dedicated.unblock_key
    return _maintained(view, command, reference, _lifecycle(view, Lifecycle.ACTIVATED))


def block_card(view: View, command: CommandApdu) -> Outcome:
    """Plan the end of the chip: from then on every command answers 6A81.

    Refuses, in this order: 6A86 P1 or P2, then as APPLICATION BLOCK (purse) from 6A81 on.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    return _maintained(view, command, current_dedicated(view).messaging_key, PutLifecycle(Lifecycle.TERMINATED))


def _maintained(view: View, command: CommandApdu, reference: int, effect: Write) -> Outcome:
    """The outcome of a command that the maintenance key guards, all of whose data is the MAC."""
    scope, key = _issuer_key(view, Usage.APPLICATION_MAINTENANCE, reference)
    if len(command.data) > MAC_SIZE:
        raise Refuse(0x6700)
    if not _authentic(view, command, key):
        return _refused(view, scope, key, MESSAGING_WRONG)
    return _done(view, scope, key, effect)


def _issuer_key(view: View, usage: Usage, reference: int = ABSENT) -> tuple[Address, CardKey]:
    """The key with that reference, the first of its usage where there is none; refuses 6A88 no such key, 9303 it is
    used up."""
    scope, key = first_key(view, usage) if reference == ABSENT else find_key(view, usage, reference)
    if not key.tries_left:
        raise Refuse(APPLICATION_ENDED)
    return scope, key


def _authentic(view: View, command: CommandApdu, key: CardKey) -> bool:
    """Whether the MAC is right; refuses 6984 no challenge, 6987 no MAC."""
    try:
        plain_command(view, command, key, encrypted=False, scheme=Scheme.PBOC)
    except Refuse as refusal:
        if refusal.sw == MESSAGING_WRONG:
            return False
        raise
    return True


def _check_digits(pin: CardPin, offered: bytes) -> None:
    """Refuses 6700 a PIN of a length that the card does not take, 6A80 filling in it: here there is no room for it."""
    digits_of(pin, offered)
    if offered.endswith(FILLING):
        raise Refuse(0x6A80)


def _restored(address: Address, pin: CardPin, digits: bytes) -> PutPin:
    return PutPin(address, pin._replace(value=digits, tries_left=pin.tries))


def _lifecycle(view: View, lifecycle: Lifecycle) -> PutDedicated:
    return PutDedicated(view.session.current, current_dedicated(view)._replace(lifecycle=lifecycle))


def _spent(scope: Address, key: CardKey) -> PutKey:
    return PutKey(scope, key._replace(tries_left=key.tries_left - 1))


def _done(view: View, scope: Address, key: CardKey, effect: Write) -> Outcome:
    restored = PutKey(scope, key._replace(tries_left=key.tries))
    return Outcome(b"", 0x9000, view.session, ((_spent(scope, key),), (effect, restored)))


def _refused(view: View, scope: Address, key: CardKey, sw: int) -> Outcome:
    spent = (_spent(scope, key),)
    if key.tries_left > 1:
        return Outcome(b"", sw, view.session, (spent,))
    return Outcome(b"", APPLICATION_ENDED, view.session, (spent, (_lifecycle(view, Lifecycle.TERMINATED),)))
