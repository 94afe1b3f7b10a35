"""Keys made from keys: one level down the tree, one transaction, or folded to half the length.

The ministry's key makes the province's, that the city's, that the card's, each step with an 8-byte factor.
"""

from __future__ import annotations

from functools import lru_cache

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import Algorithm, cipher
from kaguan.vault.mac import pad80

_ONES = 0xFFFF_FFFF_FFFF_FFFF
_SM4, _DES, _AES = Algorithm.SM4, Algorithm.DES, Algorithm.AES
_WITH_LEVELS = (Algorithm.TDES, Algorithm.SM4)
"""By their own names for what every transaction asks: an enumeration takes ten times as long to find them."""


def diversify(key: bytes, factor: bytes, algorithm: Algorithm = Algorithm.TDES) -> bytes:
    """The 16-byte key one level down: the factor and its complement, enciphered (PBOC 2.0; SM4: JT/T 978).

    Raises:
        VaultError: the factor has not 8 bytes, or the key cannot be diversified (single DES, AES).
    """
    block = factor_block(factor)
    if algorithm not in _WITH_LEVELS:
        raise VaultError(f"a key of {algorithm} is not diversified: only 3des and sm4 keys have levels below them")
    return cipher(key, algorithm).finish(block)


@lru_cache(maxsize=256)
def factor_block(factor: bytes) -> bytes:
    """The factor and its complement: what is enciphered to make a key one level down. Remembered, because all keys of a
    card have one factor, which is no secret.

    Raises:
        VaultError: the factor has not 8 bytes.
    """
    if len(factor) != 8:
        raise VaultError(f"a diversification factor has 8 bytes, this has {len(factor)}")
    return factor + (int.from_bytes(factor, "big") ^ _ONES).to_bytes(8, "big")


def session_key(key: bytes, block: bytes, algorithm: Algorithm = Algorithm.TDES) -> bytes:
    """The key of one transaction: the 8-byte block enciphered; a single DES key, unless the parent is SM4.

    For SM4 the block is padded with 80 00.. to 16 bytes and makes an SM4 key; this is unconfirmed.

    Raises:
        VaultError: the block has not 8 bytes, or the parent is an AES key, which no card has.
    """
    if algorithm is _AES:
        raise VaultError("no session key is made from a key of aes")
    return cipher(key, algorithm).finish(pad80(session_block(block), 16) if algorithm is _SM4 else session_block(block))


def session_block(block: bytes) -> bytes:
    """The 8 bytes themselves, from which the key of one transaction is made.

    Raises:
        VaultError: they are not 8.
    """
    if len(block) != 8:
        raise VaultError(f"a session key is made from 8 bytes, not from {len(block)}")
    return block


def session_algorithm(parent: Algorithm) -> Algorithm:
    """What a session key made from such a parent is a key of."""
    return _SM4 if parent is _SM4 else _DES


def fold(key: bytes) -> bytes:
    """The 8-byte key that is the left half xor the right half: how a 16-byte TAC or PIN reload key is used.

    Raises:
        VaultError: the key has not 16 bytes.
    """
    if len(key) != 16:
        raise VaultError(f"only a 16-byte key is folded, this has {len(key)} bytes")
    return (int.from_bytes(key[:8], "big") ^ int.from_bytes(key[8:], "big")).to_bytes(8, "big")
