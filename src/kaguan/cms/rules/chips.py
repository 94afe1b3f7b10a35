"""The numbers by which a chip is known: answer to reset (ISO/IEC 7816-3) and card identification code (LD/T 32)."""

from __future__ import annotations

from typing import Final

from kaguan.cms.rules.refusals import NotEligible

IDENT_CODE_BYTES: Final = 16
_SERIAL: Final = slice(8, 12)
_CONVENTIONS: Final = frozenset({0x3B, 0x3F})
_MOST_INTERFACE_GROUPS: Final = 8


def check_chip_numbers(card_ident_code: str, atr: str) -> None:
    """Return when both, in hex, are well formed and carry the same chip serial; refuse with NotEligible otherwise.

    The serial is the last four bytes of the ATR, and bytes 9 to 12 of the identification code.
    """
    code, reset = _bytes(card_ident_code, "card identification code"), _bytes(atr, "ATR")
    if len(code) != IDENT_CODE_BYTES:
        raise NotEligible(f"the card identification code {card_ident_code} has {len(code)} bytes, not 16")
    if reset[:1] not in {bytes((first,)) for first in _CONVENTIONS} or len(reset) != _announced_length(reset):
        raise NotEligible(f"the ATR {atr} is not of the length that it announces")
    if code[_SERIAL] != reset[-4:]:
        raise NotEligible(f"the card identification code {card_ident_code} is not of the chip with the ATR {atr}")


def _bytes(text: str, what: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NotEligible(f"the {what} {text!r} is not hex") from None


def _announced_length(reset: bytes) -> int:
    """Return how long the ATR says that it is; zero when it breaks off."""
    position, historical, checked = 1, 0, False
    for group in range(_MOST_INTERFACE_GROUPS):
        if position >= len(reset):
            return 0
        announced = reset[position]
        if group == 0:
            historical = announced & 0x0F
        else:
            checked = checked or announced & 0x0F != 0  # any protocol but T=0 brings a check byte
        position += (announced >> 4).bit_count()
        if not announced & 0x80:
            return position + 1 + historical + checked
    return 0
