"""GET CHALLENGE, INTERNAL and EXTERNAL AUTHENTICATE.

A key never enciphers a challenge itself: it makes a process key SK = 3DES(K, factor), used once (LD/T 32.5). The
transport key of a blank chip does the same, so that nobody gains an oracle for the key that wraps all others. On the
bank's cards the key itself works: `authenticate_direct`.
"""

from __future__ import annotations

import hmac

from kaguan.apdu.command import CommandApdu
from kaguan.card_os.access import find_key
from kaguan.card_os.commands import authenticate_direct
from kaguan.card_os.image import IN_CREATION, Address, CardKey
from kaguan.card_os.outcome import Outcome, Refuse, View
from kaguan.card_os.profile.model import Authentication, VersionByte
from kaguan.card_os.session import TRANSPORT_RIGHT, Session
from kaguan.card_os.writes import PutKey
from kaguan.vault.ciphers import Algorithm, fresh_cipher
from kaguan.vault.diversify import session_algorithm, session_key
from kaguan.vault.vault import Usage

BLOCK = 8
CHALLENGE_SIZES = (4, 8, 16)
_new = tuple.__new__  # as in `apdu.command`
_BLOCKS = (Algorithm.TDES.block_size,)
_BLOCKS_WITH_SM4 = (*_BLOCKS, Algorithm.SM4.block_size)


def get_challenge(view: View, command: CommandApdu) -> Outcome:
    """Answer a random number that the very next command may use.

    Refuses, in this order: 6A86 P1 or P2, 6700 data, or an Le other than 04, 08, 10.
    """
    if command.p1 or command.p2:
        raise Refuse(0x6A86)
    if command.data or command.ne not in CHALLENGE_SIZES:
        raise Refuse(0x6700)
    challenge = view.chip.random(command.ne)
    current, file, record, rights, *_ = view.session
    after = _new(Session, (current, file, record, rights, challenge, None, b"", 0x9000, None))
    return _new(Outcome, (challenge, 0x9000, after, ()))


def internal_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Answer DES(SK, data) with SK = 3DES(K, factor); the command brings `factor8 data8`.

    Refuses, in this order: 6A86 P1, 6700 a length that no key takes, 6A88 no such key, 6700 another key's length.
    """
    if view.chip.behaviour.authentication is Authentication.DIRECT:
        return authenticate_direct.internal_authenticate(view, command)
    if command.p1:
        raise Refuse(0x6A86)
    if len(command.data) - BLOCK not in _blocks(view):
        raise Refuse(0x6700)
    _, key = _usable(view, *find_key(view, Usage.INTERNAL_AUTHENTICATION, command.p2))
    if len(command.data) - BLOCK != key.algorithm.block_size:
        raise Refuse(0x6700)
    return Outcome(_process(key, command.data[:BLOCK], command.data[BLOCK:]), 0x9000, view.session)


def external_authenticate(view: View, command: CommandApdu) -> Outcome:
    """Leave the session holding the key's right, or without it and the key one try poorer.

    Data is `cipher8 original8`, cipher = DES(3DES(K, challenge), original); with one more byte, in front or behind as
    the profile says, it names the key's version. Until the chip is sealed it knows its transport key alone. Without
    cipher and original the command asks how many tries the key has left and costs nothing, on cards whose profile says
    so.
    Refuses, in this order: 6A86 P1, 6700 a length that no key takes, 6A88 no such key or version, 6700 another key's
    length, 6983 blocked, 6984 no challenge.
    A wrong cryptogram is an outcome (63Cx), not a refusal: it writes. As with a PIN, the try is spent first.
    """
    creating = view.image.lifecycle is IN_CREATION
    if view.chip.behaviour.authentication is Authentication.DIRECT and not creating:
        return authenticate_direct.external_authenticate(view, command)
    if command.p1:
        raise Refuse(0x6A86)
    data = command.data
    usage = Usage.TRANSPORT if creating else Usage.EXTERNAL_AUTHENTICATION
    if len(data) <= 1 and view.chip.behaviour.key_tries_told:
        return _tries_left(view, usage, command)
    if len(data) // 2 not in _blocks(view):
        raise Refuse(0x6700)
    version, data = _version(view, data)
    scope, key = _usable(view, *find_key(view, usage, command.p2, version=version))
    block = key.algorithm.block_size
    if len(data) // 2 != block:
        raise Refuse(0x6700)
    if not key.tries_left:
        raise Refuse(0x6983)
    if len(view.challenge) not in (4, BLOCK):
        raise Refuse(0x6984)
    gained = TRANSPORT_RIGHT if creating else command.p2
    offered, original = data[:block], data[block:]
    spent = (_new(PutKey, (scope, key.with_tries(key.tries_left - 1))),)
    if not hmac.compare_digest(offered, _process(key, view.challenge.ljust(BLOCK, b"\0"), original)):
        lost = view.session.with_rights(view.session.rights - {gained})
        return Outcome(b"", 0x63C0 | min(key.tries_left - 1, 15), lost, (spent,))
    after = view.session.with_rights(view.session.rights | {gained})
    restored = (_new(PutKey, (scope, key.with_tries(key.tries))),)
    return _new(Outcome, (b"", 0x9000, after, (spent, restored)))


def _version(view: View, data: bytes) -> tuple[int | None, bytes]:
    """The key's version, where the data names one, and the rest."""
    if not len(data) % 2:
        return None, data
    if view.chip.behaviour.version_byte is VersionByte.LAST:
        return data[-1], data[:-1]
    return data[0], data[1:]


def _tries_left(view: View, usage: Usage, command: CommandApdu) -> Outcome:
    """Answer 63Cx, the tries that the key has left (ISO/IEC 7816-4, 11.5.4).

    Refuses, in this order: 6A88 no such key or version, 6983 blocked.
    """
    version = command.data[0] if command.data else None
    _, key = _usable(view, *find_key(view, usage, command.p2, version=version))
    if not key.tries_left:
        raise Refuse(0x6983)
    return Outcome(b"", 0x63C0 | min(key.tries_left, 15), view.session)


def _blocks(view: View) -> tuple[int, ...]:
    """The block sizes of the keys that this card may have."""
    return _BLOCKS_WITH_SM4 if view.chip.behaviour.sm4 else _BLOCKS


def _usable(view: View, scope: Address, key: CardKey) -> tuple[Address, CardKey]:
    """The same, unless the card does not work with such keys. Refuses: 6A88."""
    if key.algorithm is Algorithm.SM4 and not view.chip.behaviour.sm4:
        raise Refuse(0x6A88)
    return scope, key


def _process(key: CardKey, factor: bytes, data: bytes) -> bytes:
    process_key = session_key(key.value, factor, key.algorithm)
    return fresh_cipher(process_key, session_algorithm(key.algorithm)).encrypt(data)
