"""GET CHALLENGE, INTERNAL and EXTERNAL AUTHENTICATE.

A key never enciphers a challenge itself: it makes a process key SK = 3DES(K, factor), used once (LD/T 32.5). The
transport key of a blank chip does the same, so that nobody gains an oracle for the key that wraps all others.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key
from kaguan.card_os.image import CardKey, Lifecycle
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.session import TRANSPORT_RIGHT
from kaguan.card_os.writes import PutKey
from kaguan.vault.ciphers import fresh_cipher
from kaguan.vault.diversify import session_algorithm, session_key
from kaguan.vault.vault import Usage

BLOCK = 8
CHALLENGE_SIZES = (4, 8, 16)


def get_challenge(view: View, command: CommandApdu) -> Outcome:
    """Answer a random number that the very next command may use.

    Refuses, in this order: 6A86 P1 or P2, 6700 data, or an Le other than 04, 08, 10.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data or command.ne not in CHALLENGE_SIZES:
        raise Refuse(0x6700)
    challenge = view.chip.random(command.ne)
    return Outcome(challenge, 0x9000, view.session._replace(challenge=challenge))


def internal_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Answer DES(SK, data) with SK = 3DES(K, factor); the command brings `factor8 data8`.

    Refuses, in this order: 6A86 P1, 6700 not 16 bytes, 6A88 no such key.
    """
    if command.p1:
        raise Refuse(0x6A86)
    if len(command.data) != 2 * BLOCK:
        raise Refuse(0x6700)
    _, key = find_key(view, Usage.INTERNAL_AUTHENTICATION, command.p2)
    return Outcome(_process(key, command.data[:BLOCK], command.data[BLOCK:]), 0x9000, view.session)


def external_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding the key's right, or without it and the key one try poorer.

    Data is `cipher8 original8`, cipher = DES(3DES(K, challenge), original); with one more byte in front it names the
    key's version. Until the chip is sealed it knows its transport key alone.
    Refuses, in this order: 6A86 P1, 6700 wrong length, 6A88 no such key, 6983 blocked, 6984 no challenge.
    A wrong cryptogram is an outcome (63Cx), not a refusal: it writes. As with a PIN, the try is spent first.
    """
    if command.p1:
        raise Refuse(0x6A86)
    data = command.data
    if len(data) not in (2 * BLOCK, 2 * BLOCK + 1):
        raise Refuse(0x6700)
    creating = view.image.lifecycle is Lifecycle.CREATION
    usage = Usage.TRANSPORT if creating else Usage.EXTERNAL_AUTHENTICATION
    version = data[0] if len(data) % 2 else None
    scope, key = find_key(view, usage, command.p2, version=version)
    if not key.tries_left:
        raise Refuse(0x6983)
    if len(view.challenge) not in (4, BLOCK):
        raise Refuse(0x6984)
    gained = TRANSPORT_RIGHT if creating else command.p2
    offered, original = data[-2 * BLOCK : -BLOCK], data[-BLOCK:]
    spent = (PutKey(scope, key._replace(tries_left=key.tries_left - 1)),)
    if not hmac.compare_digest(offered, _process(key, view.challenge.ljust(BLOCK, b"\0"), original)):
        lost = view.session._replace(rights=view.session.rights - {gained})
        return Outcome(b"", 0x63C0 | min(key.tries_left - 1, 15), lost, (spent,))
    after = view.session._replace(rights=view.session.rights | {gained})
    return Outcome(b"", 0x9000, after, (spent, (PutKey(scope, key._replace(tries_left=key.tries)),)))


def _process(key: CardKey, factor: bytes, data: bytes) -> bytes:
    process_key = session_key(key.value, factor, key.algorithm)
    return fresh_cipher(process_key, session_algorithm(key.algorithm)).encrypt(data)
