"""INTERNAL and EXTERNAL AUTHENTICATE in which the key itself works on the data (JR/T 0025.2, FMCOS 2.0).

A challenge of 4 bytes is enciphered with zeros on its right. How an SM4 key would do any of this is not public: for
these commands such a key is not there.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key, require
from kaguan.card_os.image import Address, CardKey
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import earned
from kaguan.card_os.writes import PutKey
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.mac import mac4
from kaguan.vault.vault import Usage

ENCIPHER, DECIPHER, AUTHENTICATE = 0x00, 0x01, 0x02
_USAGES = (Usage.INTERNAL_AUTHENTICATION, Usage.DECIPHERMENT, Usage.MESSAGING)  # FMCOS types 30, 31, 32
SHORTEST_CHALLENGE = 4


def internal_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Answer the data enciphered (P1 00), deciphered (01), or their MAC of 4 bytes (02).

    Each of the three has keys of its own type; where the card has none with that reference, the internal
    authentication key does it, on cards whose profile says so.
    Refuses, in this order: 6A86 P1, 6700 no data, 6A88 no such key, 6982 not the key's time, 6700 no whole blocks.
    """
    if command.p1 >= len(_USAGES):
        raise Refuse(0x6A86)
    if not command.data:
        raise Refuse(0x6700)
    key = _internal_key(view, _USAGES[command.p1], command.p2)
    require(view, key.use)
    worker = cipher(key.value, key.algorithm)
    if command.p1 == AUTHENTICATE:
        return Outcome(mac4(worker, command.data), 0x9000, view.session)
    if len(command.data) % worker.block_size:
        raise Refuse(0x6700)
    answer = worker.encrypt(command.data) if command.p1 == ENCIPHER else worker.decrypt(command.data)
    return Outcome(answer, 0x9000, view.session)


def _usable(scope: Address, key: CardKey) -> tuple[Address, CardKey]:
    """The same; refuses 6A88 an SM4 key."""
    if key.algorithm is Algorithm.SM4:
        raise Refuse(0x6A88)
    return scope, key


def _internal_key(view: View, usage: Usage, reference: int) -> CardKey:
    try:
        found = find_key(view, usage, reference)
    except Refuse:
        if not view.chip.behaviour.one_internal_key:
            raise
        found = find_key(view, Usage.INTERNAL_AUTHENTICATION, reference)
    return _usable(*found)[1]


def external_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding what the key gives, or without it and the key one try poorer.

    Data is the challenge enciphered.
    Refuses, in this order: 6A86 P1, 6A88 no such key, 6982 not the key's time, 6700 not one block, 6983 blocked,
    6984 no challenge.
    A wrong cryptogram is an outcome (63Cx), not a refusal: it writes. As with a PIN, the try is spent first.
    """
    if command.p1:
        raise Refuse(0x6A86)
    scope, key = _usable(*find_key(view, Usage.EXTERNAL_AUTHENTICATION, command.p2))
    require(view, key.use)
    worker = cipher(key.value, key.algorithm)
    if len(command.data) != worker.block_size:
        raise Refuse(0x6700)
    if not key.tries_left:
        raise Refuse(0x6983)
    if not SHORTEST_CHALLENGE <= len(view.challenge) <= worker.block_size:
        raise Refuse(0x6984)
    session, left = view.session, key.tries_left - 1
    spent = (PutKey(scope, key._replace(tries_left=left)),)
    if not hmac.compare_digest(worker.encrypt(view.challenge.ljust(worker.block_size, b"\0")), command.data):
        lost = session._replace(rights=session.rights - {command.p2})
        return Outcome(b"", 0x63C0 | min(left, 15), lost, (spent,))
    rights = earned(session.rights, session.current, command.p2, key.next_state)
    restored = (PutKey(scope, key._replace(tries_left=key.tries)),)
    return Outcome(b"", 0x9000, session._replace(rights=rights), (spent, restored))
