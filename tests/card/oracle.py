"""The card's sums done by psec, which we did not write: what a chip's answers are judged by."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from psec import des as psec_des
from psec import mac as psec_mac

_Parameters = ParamSpec("_Parameters")


def _quietly(function: Callable[_Parameters, bytes]) -> Callable[_Parameters, bytes]:
    """The same without the warnings that psec's home of 3DES, and its short keys, will move."""

    @wraps(function)
    def quiet(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)

    return quiet


@_quietly
def tdes(key: bytes, block: bytes) -> bytes:
    """3DES, or DES under an 8-byte key, of whole blocks."""
    return psec_des.encrypt_tdes_ecb(key, block)


@_quietly
def mac(key: bytes, data: bytes) -> bytes:
    """The 4-byte DES CBC-MAC under a session key, IV zero, always padded with 80 00.."""
    return psec_mac.generate_cbc_mac(key, data, 2)[:4]


@_quietly
def retail(key: bytes, challenge: bytes, data: bytes) -> bytes:
    """The 4-byte ISO 9797-1 algorithm 3 MAC under a long-lived key, the 8-byte challenge its initial value."""
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 8)
    first = bytes(one ^ other for one, other in zip(padded[:8], challenge, strict=True))
    return psec_mac.generate_retail_mac(key[:8], key[8:], first + padded[8:], 1)[:4]


def fold(key: bytes) -> bytes:
    """The left half xor the right half: how a TAC key is used."""
    return bytes(left ^ right for left, right in zip(key[:8], key[8:], strict=True))


def ssc_protected(key: bytes, challenge: bytes, header: str, data: bytes = b"", plain: bytes | None = None) -> bytes:
    """A command of the social security card's secure messaging: `plain` is enciphered, `data` sent as it is."""
    session = tdes(key, challenge)
    if plain is not None:
        packed = bytes((len(plain),)) + plain + b"\x80"
        data = tdes(session, packed + bytes(-len(packed) % 8))
    head = bytes.fromhex(header) + bytes((len(data) + 4,)) + data
    return head + mac(session, head)
