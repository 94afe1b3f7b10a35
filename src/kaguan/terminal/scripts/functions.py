"""The functions that tapes may call: ciphers, MACs and keys as JR/T 0025 and JT/T 978 have them.

Keys come first, as in the standards' notation. A key of 8 bytes is one of DES, of 16 one of 3DES, unless the
function's name says SM4. MACs have 4 bytes and pad the data with 80 00.. themselves.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from kaguan.apdu.errors import CodecError
from kaguan.apdu.tape import Functions
from kaguan.vault import diversify as keys
from kaguan.vault.ciphers import Algorithm, BlockCipher, fresh_cipher
from kaguan.vault.mac import mac4


def des_cipher(key: bytes) -> BlockCipher:
    """The cipher of a DES key (8 bytes) or of a 3DES key (16, or 24 with the first part again at the end).

    Raises:
        CodecError: it has another length.
    """
    if len(key) == 24 and key[:8] == key[16:]:
        key = key[:16]
    if len(key) not in (8, 16):
        raise CodecError(f"a key has 8 bytes (DES) or 16 (3DES), this has {len(key)}")
    return fresh_cipher(key, Algorithm.DES if len(key) == 8 else Algorithm.TDES)


def copied(digits: str, start: int, count: int) -> str:
    """So many hex digits from the one numbered `start`, counted from 1; 0 is the first too.

    Raises:
        CodecError: there are not so many.
    """
    first = max(start - 1, 0)
    if first + count > len(digits):
        raise CodecError(f"digits {first + 1} to {first + count} are wanted, there are {len(digits)}")
    return digits[first : first + count]


def last_of(digits: str, count: int) -> str:
    """The last so many hex digits.

    Raises:
        CodecError: there are not so many.
    """
    if count > len(digits):
        raise CodecError(f"the last {count} digits are wanted, there are {len(digits)}")
    return digits[len(digits) - count :]


def whole_bytes(digits: str) -> bytes:
    """The bytes that these hex digits are.

    Raises:
        CodecError: half a byte is left.
    """
    if len(digits) % 2:
        raise CodecError(f"{len(digits)} hex digits are no whole bytes")
    return bytes.fromhex(digits)


def exclusive_or(left: bytes, right: bytes) -> bytes:
    """Both, bit by bit.

    Raises:
        CodecError: their lengths differ.
    """
    if len(left) != len(right):
        raise CodecError(f"both must have one length, these have {len(left)} and {len(right)} bytes")
    return bytes(one ^ other for one, other in zip(left, right, strict=True))


def _mac(key: bytes, data: bytes, iv: bytes = b"") -> bytes:
    return mac4(des_cipher(key), data, iv)


def _sm4(key: bytes) -> BlockCipher:
    return fresh_cipher(key, Algorithm.SM4)


def _tac(key: bytes, data: bytes) -> bytes:
    return _mac(keys.fold(key) if len(key) == 16 else key, data)


def _diversified(key: bytes, factors: tuple[bytes, ...], algorithm: Algorithm) -> bytes:
    for factor in factors:
        key = keys.diversify(key, factor, algorithm)
    return key


def _diversify(key: bytes, *factors: bytes) -> bytes:
    return _diversified(key, factors, Algorithm.TDES)


def _sm4_diversify(key: bytes, *factors: bytes) -> bytes:
    return _diversified(key, factors, Algorithm.SM4)


def _copy(data: bytes, start: bytes, count: bytes) -> bytes:
    return whole_bytes(copied(data.hex(), int.from_bytes(start, "big"), int.from_bytes(count, "big")))


def _last(data: bytes, count: bytes) -> bytes:
    return whole_bytes(last_of(data.hex(), int.from_bytes(count, "big")))


_BY_NAME: Final[Functions] = {
    "des": lambda key, data: des_cipher(key).encrypt(data),
    "des_decrypt": lambda key, data: des_cipher(key).decrypt(data),
    "tdes": lambda key, data: des_cipher(key).encrypt(data),
    "tdes_decrypt": lambda key, data: des_cipher(key).decrypt(data),
    "sm4": lambda key, data: _sm4(key).encrypt(data),
    "sm4_decrypt": lambda key, data: _sm4(key).decrypt(data),
    "mac": _mac,
    "retail": lambda key, iv, data: _mac(key, data, iv),
    "sm4_mac": lambda key, data, iv=b"": mac4(_sm4(key), data, iv),
    "tac": _tac,
    "diversify": _diversify,
    "sm4_diversify": _sm4_diversify,
    "fold": keys.fold,
    "xor": exclusive_or,
    "copy": _copy,
    "last": _last,
}

FUNCTIONS: Final[Functions] = MappingProxyType(
    {**_BY_NAME, **{name.upper(): function for name, function in _BY_NAME.items()}}
)
"""By name, which is written in small letters or in capitals."""
