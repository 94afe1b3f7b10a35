"""Secure messaging (安全报文), both ends: commands that carry a MAC and, at will, a cryptogram.

| | PBOC | SSC |
|---|---|---|
| source | JR/T 0025.2, FMCOS 2.0 | social security card drivers: RELOAD PIN, PIN UNBLOCK, blocking |
| working key | the key itself | its session key, made from the challenge |
| initial value of the MAC | the challenge, zeros on its right | zeros |
| plaintext | LD, data, 80 00.. only up to a whole block | LD, data, 80 00.. always |

Both ends hand in the cipher of the long-lived key (DAMK, DPUK, STK ..) and the challenge; the scheme does the
rest. The MAC covers CLA INS P1 P2, an Lc that already counts the 4 bytes of the MAC, and the data as sent; it
does not cover Le. What SM4 does here is unconfirmed: the same rules with blocks of 16 bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from kaguan.apdu.command import SHORT_DATA, CommandApdu
from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm, BlockCipher, fresh_cipher
from kaguan.vault.mac import mac4, pad80

MAC_SIZE = 4
_PROTECTED = 0x04


class Scheme(StrEnum):
    """Which rules protect a command."""

    PBOC = "pboc"
    SSC = "ssc"


class MessagingError(VaultError):
    """The protection of a command, or of an answer, does not hold."""


class ProtectionAbsent(MessagingError):
    """There is no protection at all; a card says 6987."""


class MacWrong(MessagingError):
    """The MAC is not the one this key and challenge make; a card says 6988."""


class CryptogramMalformed(MessagingError):
    """The MAC is right and the cryptogram holds no plaintext: the sender's mistake; a card says 6988."""


def protect(
    cipher: BlockCipher, scheme: Scheme, command: CommandApdu, challenge: bytes, *, encrypted: bool
) -> CommandApdu:
    """The command with its data replaced by cryptogram and MAC, or by itself and MAC.

    A command without data has nothing to encipher and gets the MAC alone. The class byte must already say
    that the command is protected.

    Raises:
        MessagingError: the class byte says nothing of protection, the result is too long for a short command,
            or the challenge has not 8 bytes (PBOC: 4 or a block).
    """
    require_announced(command)
    worker, iv = _working(cipher, scheme, challenge)
    mac = partial(mac4, worker, iv=iv)
    return protect_by(worker.encrypt, mac, scheme, command, block_size=worker.block_size, encrypted=encrypted)


def require_announced(command: CommandApdu) -> None:
    """Nothing happens when the class byte says that the command is protected.

    Raises:
        MessagingError: it does not.
    """
    if not command.cla & _PROTECTED:
        raise MessagingError(f"CLA {command.cla:02X} announces no secure messaging: use {command.cla | 4:02X}")


def protect_by(
    encipher: Callable[[bytes], bytes],
    mac: Callable[[bytes], bytes],
    scheme: Scheme,
    command: CommandApdu,
    *,
    block_size: int,
    encrypted: bool,
) -> CommandApdu:
    """The command as `protect` makes it, by a key that works elsewhere: in a token.

    Raises:
        MessagingError: the result is too long for a short command.
    """
    data = encipher(_packed(command.data, scheme, block_size)) if encrypted and command.data else command.data
    length = len(data) + MAC_SIZE
    if length > SHORT_DATA:
        raise MessagingError(f"the protected command has {length} data bytes, more than the {SHORT_DATA} of an Lc")
    return command._replace(data=data + mac(_authenticated(command, data)))


def unprotect(
    cipher: BlockCipher, scheme: Scheme, command: CommandApdu, challenge: bytes, *, encrypted: bool
) -> CommandApdu:
    """The command with its plaintext as data, once the MAC is found right.

    Raises, in this order:
        ProtectionAbsent: the class byte says nothing of protection, or the data is too short to hold a MAC.
        MacWrong: the MAC differs.
        CryptogramMalformed: the cryptogram has no whole blocks, or LD and padding contradict its length.
    """
    if not command.cla & _PROTECTED:
        raise ProtectionAbsent(f"CLA {command.cla:02X} announces no secure messaging")
    if len(command.data) < MAC_SIZE:
        raise ProtectionAbsent(f"{len(command.data)} data bytes hold no MAC of {MAC_SIZE}")
    worker, iv = _working(cipher, scheme, challenge)
    data, mac = command.data[:-MAC_SIZE], command.data[-MAC_SIZE:]
    if not hmac.compare_digest(mac4(worker, _authenticated(command, data), iv), mac):
        raise MacWrong("the MAC of the protected command is wrong")
    if encrypted and data:
        if len(data) % worker.block_size:
            raise CryptogramMalformed(f"a cryptogram of {len(data)} bytes has no whole blocks")
        data = _unpacked(worker.decrypt(data), scheme, worker.block_size)
    return command._replace(data=data)


def answer_mac(cipher: BlockCipher, scheme: Scheme, answer: bytes, challenge: bytes) -> bytes:
    """The MAC after a protected READ's answer: over the answer alone, with the command's challenge."""
    worker, iv = _working(cipher, scheme, challenge)
    return mac4(worker, answer, iv)


def protected_answer(cipher: BlockCipher, scheme: Scheme, answer: bytes, challenge: bytes, *, encrypted: bool) -> bytes:
    """The answer of a protected READ: itself or its cryptogram, and the MAC over that, with the command's challenge."""
    worker, iv = _working(cipher, scheme, challenge)
    data = worker.encrypt(_packed(answer, scheme, worker.block_size)) if encrypted else answer
    return data + mac4(worker, data, iv)


def _working(cipher: BlockCipher, scheme: Scheme, challenge: bytes) -> tuple[BlockCipher, bytes]:
    """The cipher that does the work, and the initial value of its MAC."""
    require_challenge(cipher.algorithm, scheme, challenge)
    if scheme is Scheme.PBOC:
        return cipher, challenge
    if cipher.algorithm is Algorithm.SM4:
        return fresh_cipher(cipher.finish(pad80(challenge, 16)), Algorithm.SM4), b""
    return fresh_cipher(cipher.finish(challenge), Algorithm.DES), b""


def require_challenge(algorithm: Algorithm, scheme: Scheme, challenge: bytes) -> None:
    """Nothing happens when such a key protects with such a challenge.

    Raises:
        MessagingError: the challenge has not 8 bytes (PBOC: 4 or a block), or the key is a session's already.
    """
    if scheme is Scheme.PBOC:
        if len(challenge) not in (4, 8, algorithm.block_size):  # none at all would make the MAC replayable
            raise MessagingError(f"PBOC messaging needs a challenge of 4 or 8 bytes, this has {len(challenge)}")
        return
    if algorithm is Algorithm.DES:
        raise MessagingError("SSC messaging makes its session key itself: give it the 16-byte key, not the session's")
    if len(challenge) != 8:
        raise MessagingError(f"SSC messaging needs a challenge of 8 bytes, this has {len(challenge)}")


def _authenticated(command: CommandApdu, data: bytes) -> bytes:
    return bytes((*command[:4], len(data) + MAC_SIZE)) + data


def _packed(data: bytes, scheme: Scheme, block_size: int) -> bytes:
    """LD and the data, in whole blocks."""
    if len(data) > SHORT_DATA:
        raise MessagingError(f"{len(data)} bytes of plaintext are more than LD can count")
    packed = bytes((len(data),)) + data
    whole = scheme is Scheme.PBOC and not len(packed) % block_size
    return packed if whole else pad80(packed, block_size)


def _unpacked(packed: bytes, scheme: Scheme, block_size: int) -> bytes:
    """The data in such blocks; only what `_packed` would have made is accepted."""
    data = packed[1 : 1 + packed[0]]
    if _packed(data, scheme, block_size) != packed:
        raise CryptogramMalformed("LD, padding and length of the deciphered data contradict each other")
    return data
