"""What WRITE KEY carries under the transport key: a header that says what the value is for, then the value.

The type bytes are those of FMCOS 2.0 where it has the key; the header's shape is this card's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kaguan.apdu.errors import CodecError
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.vault import Usage

PIN_TYPE = 0x3A

TYPE_OF_USAGE: Mapping[Usage, int] = {
    Usage.TRANSPORT: 0x00,
    Usage.SECURITY_MODULE: 0x20,
    Usage.INTERNAL_AUTHENTICATION: 0x30,
    Usage.DECIPHERMENT: 0x31,
    Usage.MESSAGING: 0x32,
    Usage.TAC: 0x34,
    Usage.APPLICATION_MAINTENANCE: 0x36,
    Usage.PIN_UNBLOCK: 0x37,
    Usage.PIN_RELOAD: 0x38,
    Usage.EXTERNAL_AUTHENTICATION: 0x39,
    Usage.OVERDRAFT: 0x3C,
    Usage.UNLOAD: 0x3D,
    Usage.PURCHASE: 0x3E,
    Usage.LOAD: 0x3F,
}
USAGE_OF_TYPE: Mapping[int, Usage] = {code: usage for usage, code in TYPE_OF_USAGE.items()}

ALGORITHM_CODES: Mapping[Algorithm, int] = {Algorithm.TDES: 0x00, Algorithm.DES: 0x01, Algorithm.SM4: 0x03}
_ALGORITHM_OF_CODE = {code: algorithm for algorithm, code in ALGORITHM_CODES.items()}


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """type, reference, version, algorithm, tries: 5 bytes before the key's value."""

    usage: Usage
    reference: int
    version: int
    algorithm: Algorithm
    tries: int

    SIZE = 5

    def __bytes__(self) -> bytes:
        code = ALGORITHM_CODES[self.algorithm]
        return bytes((TYPE_OF_USAGE[self.usage], self.reference, self.version, code, self.tries))

    @classmethod
    def parse(cls, raw: bytes) -> KeyHeader:
        """The header in these 5 bytes; a factory sends the same ones again and again, so they are remembered.

        Raises:
            CodecError: an unknown type or algorithm.
        """
        return _parsed(raw)

    @classmethod
    def _parse(cls, raw: bytes) -> KeyHeader:
        if raw[0] not in USAGE_OF_TYPE or raw[3] not in _ALGORITHM_OF_CODE:
            raise CodecError("unknown key type or algorithm")
        return cls(USAGE_OF_TYPE[raw[0]], raw[1], raw[2], _ALGORITHM_OF_CODE[raw[3]], raw[4])


_parsed = lru_cache(maxsize=1024)(KeyHeader._parse)


@dataclass(frozen=True, slots=True)
class PinHeader:
    """type, reference, tries, fewest and most bytes, unblocking key, messaging key: 7 bytes before the PIN."""

    reference: int
    tries: int
    min_bytes: int
    max_bytes: int
    unblock_key: int
    messaging_key: int

    SIZE = 7

    def __bytes__(self) -> bytes:
        limits = (self.tries, self.min_bytes, self.max_bytes)
        return bytes((PIN_TYPE, self.reference, *limits, self.unblock_key, self.messaging_key))

    @classmethod
    def parse(cls, raw: bytes) -> PinHeader:
        """The header in these 7 bytes."""
        return cls(*raw[1:7])
