"""Status words: the last two bytes of every response, and what they mean.

Meanings: ISO/IEC 7816-4 table 5 and 6; 93xx and 94xx: the PBOC purse.
"""

from __future__ import annotations

MEANINGS: dict[int, str] = {
    0x9000: "done",
    0x6281: "part of the returned data may be corrupted",
    0x6283: "selected file deactivated",
    0x6300: "authentication failed",
    0x6310: "more data available",
    0x6400: "execution error, nothing changed",
    0x6581: "memory failure",
    0x6700: "wrong length",
    0x6881: "logical channel not supported",
    0x6882: "secure messaging not supported",
    0x6884: "command chaining not supported",
    0x6900: "class byte and file protection do not match",
    0x6901: "command not allowed in this state",
    0x6981: "command incompatible with the file",
    0x6982: "security status not satisfied",
    0x6983: "authentication method blocked",
    0x6984: "reference data not usable, or no challenge",
    0x6985: "conditions of use not satisfied",
    0x6986: "no current EF",
    0x6987: "secure messaging object missing",
    0x6988: "secure messaging object wrong",
    0x6A80: "wrong data",
    0x6A81: "function not supported, or card or application blocked",
    0x6A82: "file not found",
    0x6A83: "record not found",
    0x6A84: "not enough memory",
    0x6A86: "wrong P1 P2",
    0x6A88: "referenced data not found",
    0x6A89: "file already exists",
    0x6A8A: "DF name already exists",
    0x6B00: "offset outside the file",
    0x6D00: "instruction not supported",
    0x6E00: "class not supported",
    0x6F00: "no precise diagnosis",
    0x9302: "MAC or TAC wrong",
    0x9303: "application blocked for ever",
    0x9401: "insufficient funds",
    0x9402: "transaction counter at its maximum",
    0x9403: "key index not supported",
    0x9406: "MAC or TAC not available",
    0x9408: "purse grey-locked",
}


class StatusWord(int):
    """SW1 SW2 as one number, 0x9000 for done."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """True for 9000 alone."""
        return self == 0x9000

    @property
    def more(self) -> int | None:
        """Bytes that GET RESPONSE will bring (256 for 6100); None when SW1 is not 61."""
        return ((self & 0xFF) or 256) if self >> 8 == 0x61 else None

    @property
    def right_le(self) -> int | None:
        """The Le that the card wants (256 for 6C00); None when SW1 is not 6C."""
        return ((self & 0xFF) or 256) if self >> 8 == 0x6C else None

    @property
    def tries_left(self) -> int | None:
        """Tries that a PIN or key has left; 0 when blocked, None when the word says nothing of tries."""
        if self & 0xFFF0 == 0x63C0:
            return self & 0x0F
        return 0 if self == 0x6983 else None

    @property
    def meaning(self) -> str:
        """A short English phrase."""
        if self.more is not None:
            return f"{self.more} response bytes waiting"
        if self.right_le is not None:
            return f"wrong Le, {self.right_le} bytes are there"
        if self & 0xFFF0 == 0x63C0:
            return f"not verified, {self & 0x0F} tries left"
        return MEANINGS.get(self, "not in the table of status words")

    def __bytes__(self) -> bytes:
        return self.to_bytes(2, "big")

    def __str__(self) -> str:
        return f"{int(self):04X}"

    def __repr__(self) -> str:
        return f"StatusWord(0x{int(self):04X})"


OK = StatusWord(0x9000)
