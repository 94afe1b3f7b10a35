"""Block ciphers of the card: DES, two-key 3DES, SM4; whole blocks, ECB, nothing remembered between calls.

AES is no card's: it is there for zone keys, under which keys travel, and for their check values.

A cipher object costs about 3 us to make and 0.3 us to use, so keep it: `cipher` remembers long-lived keys,
`fresh_cipher` is for session keys, which never come back. Whole blocks leave nothing behind in an ECB
context, so one object serves every caller. MACs chain over it too: a CBC context remembers its last block,
so each MAC would need a new one, which costs more than the two to four blocks of a transaction. `chain_many`
makes one for the long data of personalization.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn, Self

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256, SM4

from kaguan.apdu.errors import VaultError

_ECB = modes.ECB()  # noqa: S305  # what the standards prescribe


class Algorithm(StrEnum):
    """What a key is a key of; `key_size` and `block_size` are bytes."""

    key_size: int
    block_size: int

    DES = "des", 8, 8
    TDES = "3des", 16, 8
    SM4 = "sm4", 16, 16
    AES = "aes", 32, 16

    def __new__(cls, value: str, key_size: int = 0, block_size: int = 0) -> Self:
        """The text, with its sizes as plain attributes: every cipher made asks for them."""
        algorithm = str.__new__(cls, value)
        algorithm._value_ = value
        algorithm.key_size, algorithm.block_size = key_size, block_size
        return algorithm

    __hash__ = str.__hash__  # the same hash for equal texts, without the enumeration's call: caches ask for it


_TDES, _SM4, _AES = Algorithm.TDES, Algorithm.SM4, Algorithm.AES
"""By their own names for what every cipher asks: an enumeration takes ten times as long to find them."""


class BlockCipher:
    """A key ready to work. Make it with `cipher` or `fresh_cipher`."""

    __slots__ = ("_chain", "_decrypt", "_keyed", "algorithm", "block_size", "finish")

    finish: Callable[[bytes], bytes]
    """Enciphers one whole block, unchecked: the last step of a MAC."""

    def __init__(self, key: bytes, algorithm: Algorithm) -> None:
        if len(key) != algorithm.key_size:
            raise VaultError(f"a key of {algorithm} has {algorithm.key_size} bytes, this has {len(key)}")
        self.algorithm = algorithm
        self.block_size = algorithm.block_size
        self._keyed: TripleDES | SM4 | AES256
        if algorithm is _SM4:
            self._keyed = SM4(key)
        elif algorithm is _AES:
            self._keyed = AES256(key)
        else:  # always 24 bytes, shorter ones are deprecated: K K K is single DES, K1 K2 K1 is two-key 3DES
            self._keyed = TripleDES(key * 3 if len(key) == 8 else key + key[:8])
        self.finish = Cipher(self._keyed, _ECB).encryptor().update
        self._chain: Callable[[bytes], bytes] | None = None
        self._decrypt: Callable[[bytes], bytes] | None = None

    @property
    def chain(self) -> Callable[[bytes], bytes]:
        """Enciphers one whole block, unchecked: every step of a MAC but the last.

        3DES chains with the left half of its key, as single DES (ISO/IEC 9797-1, algorithm 3).
        """
        chain = self._chain
        if chain is None:
            chain = self.finish
            if self.algorithm is _TDES:
                chain = fresh_cipher(bytes(self._keyed.key[:8]), Algorithm.DES).finish
            self._chain = chain
        return chain

    def chain_many(self, state: bytes, blocks: bytes) -> bytes:
        """The last of these whole blocks chained from the state on, unchecked: the same as `chain` block by block."""
        keyed = self._keyed
        if self.algorithm is _TDES:
            keyed = TripleDES(bytes(keyed.key[:8]) * 3)
        return Cipher(keyed, modes.CBC(state)).encryptor().update(blocks)[-self.block_size :]

    def encrypt(self, data: bytes) -> bytes:
        """Whole blocks enciphered, each on its own.

        Raises:
            VaultError: a block is not whole; the cipher stays as good as it was.
        """
        if len(data) % self.block_size:
            raise VaultError(f"{len(data)} bytes are no whole number of {self.block_size}-byte blocks")
        return self.finish(data)

    def decrypt(self, data: bytes) -> bytes:
        """Whole blocks deciphered, each on its own.

        Raises:
            VaultError: a block is not whole; the cipher stays as good as it was.
        """
        if len(data) % self.block_size:
            raise VaultError(f"{len(data)} bytes are no whole number of {self.block_size}-byte blocks")
        decrypt = self._decrypt
        if decrypt is None:  # a card seldom deciphers: half the objects are never made
            decrypt = self._decrypt = Cipher(self._keyed, _ECB).decryptor().update
        return decrypt(data)

    def __repr__(self) -> str:
        return f"<BlockCipher {self.algorithm}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a BlockCipher holds a key and is not to be pickled or copied")


def fresh_cipher(key: bytes, algorithm: Algorithm) -> BlockCipher:
    """A cipher nobody remembers, for a key that is used once.

    Raises:
        VaultError: the key is not as long as the algorithm's keys are.
    """
    return BlockCipher(key, algorithm)


@lru_cache(maxsize=1024)
def cipher(key: bytes, algorithm: Algorithm) -> BlockCipher:
    """The cipher of a long-lived key, the same object each time while it is among the last 1024 asked for.

    Raises:
        VaultError: the key is not as long as the algorithm's keys are.
    """
    return BlockCipher(key, algorithm)
