"""What the built-ins of CPU card scripts do.

Values of this dialect are hex digits, not bytes: half a byte can be cut out and joined. Here each is the ASCII text of
its digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import MappingProxyType
from typing import Final, NamedTuple

from kaguan.apdu.errors import CodecError
from kaguan.apdu.tape import Functions
from kaguan.terminal.scripts.functions import copied, des_cipher, exclusive_or, last_of, whole_bytes
from kaguan.vault.ciphers import BlockCipher
from kaguan.vault.mac import mac4

_BLOCK: Final = 8


def digits_of(raw: bytes) -> bytes:
    """Bytes, as this dialect holds them."""
    return raw.hex().upper().encode()


def bytes_of(*parts: bytes) -> bytes:
    """The bytes that joined digits are.

    Raises:
        CodecError: half a byte is left.
    """
    return whole_bytes(b"".join(parts).decode())


def joined(*parts: bytes) -> bytes:
    """The digits, one after the other."""
    return b"".join(parts)


def _on_bytes(function: Callable[..., bytes]) -> Callable[..., bytes]:
    """The same, from digits to digits."""

    @wraps(function)
    def on_digits(*arguments: bytes) -> bytes:
        return digits_of(function(*map(bytes_of, arguments)))

    return on_digits


def _copy(digits: bytes, start: bytes, count: bytes) -> bytes:
    return copied(digits.decode(), int(start), int(count)).encode()


def _last(digits: bytes, count: bytes) -> bytes:
    return last_of(digits.decode(), int(count)).encode()


def _ecb_3des(data: bytes, key: bytes) -> bytes:
    return _of_length(key, 16, 24).encrypt(data)


def _ecb_3des_decrypt(data: bytes, key: bytes) -> bytes:
    return _of_length(key, 16, 24).decrypt(data)


def _ecb_des(data: bytes, key: bytes) -> bytes:
    return _of_length(key, 8).encrypt(data)


def _ecb_des_decrypt(data: bytes, key: bytes) -> bytes:
    return _of_length(key, 8).decrypt(data)


def _of_length(key: bytes, *sizes: int) -> BlockCipher:
    if len(key) not in sizes:
        raise CodecError(f"a key of this cipher has {sizes[0]} bytes, this has {len(key)}")
    return des_cipher(key)


def _mac(data: bytes, key: bytes) -> bytes:
    """The first block is the initial value; the rest is padded already."""
    if len(data) % _BLOCK or len(data) < 2 * _BLOCK:
        raise CodecError(
            f"a MAC is made of an 8-byte initial value and whole 8-byte blocks, padded with 80 00..; these are "
            f"{len(data)} bytes"
        )
    cipher = des_cipher(key)
    state = data[:_BLOCK]
    for start in range(_BLOCK, len(data), _BLOCK):
        step = cipher.finish if start + _BLOCK == len(data) else cipher.chain
        state = step(exclusive_or(state, data[start : start + _BLOCK]))
    return state[:4]


def _mac_of_command(data: bytes, key: bytes, challenge: bytes) -> bytes:
    """As protected commands bear it: the challenge is the initial value, the padding is done here."""
    return mac4(des_cipher(key), data, challenge[:_BLOCK])


class Builtin(NamedTuple):
    """A built-in that gives a value: how many arguments go in before the name that it may be given, and which of them
    are numbers."""

    arguments: int
    numbers: int = 0


BUILTINS: Final = MappingProxyType(
    {
        "COPY": Builtin(3, 2),
        "LAST": Builtin(2, 1),
        "XOR": Builtin(2),
        "ECB_3DES_EN": Builtin(2),
        "ECB_3DES_DE": Builtin(2),
        "ECB_SDES_EN": Builtin(2),
        "ECB_SDES_DE": Builtin(2),
        "3DES_MAC": Builtin(2),
        "3DES_MAC_COM": Builtin(2),
    }
)

COMMAND, DIGITS, JOIN = "command", "digits", "join"
"""Names under which the dialect's own conversions stand; no script can call them."""

CPU_FUNCTIONS: Final[Functions] = MappingProxyType(
    {
        COMMAND: bytes_of,
        DIGITS: digits_of,
        JOIN: joined,
        "COPY": _copy,
        "LAST": _last,
        "XOR": _on_bytes(exclusive_or),
        "ECB_3DES_EN": _on_bytes(_ecb_3des),
        "ECB_3DES_DE": _on_bytes(_ecb_3des_decrypt),
        "ECB_SDES_EN": _on_bytes(_ecb_des),
        "ECB_SDES_DE": _on_bytes(_ecb_des_decrypt),
        "3DES_MAC": _on_bytes(_mac),
        "3DES_MAC_COM": _on_bytes(_mac_of_command),
    }
)
