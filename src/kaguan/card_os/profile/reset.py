"""The answer to reset as ISO/IEC 7816-3 builds it."""

from __future__ import annotations

from functools import reduce
from operator import xor

_INTERFACE_BYTES, _MORE, _PROTOCOL = 0x70, 0x80, 0x0F


def with_check_byte(atr: bytes) -> bytes:
    """The ATR that is whole but for TCK, with it where there must be one: when it names another protocol than T=0
    (ISO/IEC 7816-3, 8.2.5). All from T0 to TCK comes to zero."""
    if not _names_protocol(atr):
        return atr
    return atr + bytes((reduce(xor, atr[1:]),))


def _names_protocol(atr: bytes) -> bool:
    """Whether one of the bytes TDi names a protocol other than T=0."""
    at = 1
    while atr[at] & _MORE:
        at += (atr[at] & _INTERFACE_BYTES).bit_count() + 1
        if at >= len(atr):
            return False
        if atr[at] & _PROTOCOL:
            return True
    return False
