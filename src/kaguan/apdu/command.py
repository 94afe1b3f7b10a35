"""Command APDUs: four header bytes, data, and how many response bytes are wanted.

An absent Le is None, never 0; Le 00 is 256, extended Le 0000 is 65536 (ISO/IEC 7816-3, 12.1.3).
"""

from __future__ import annotations

from typing import NamedTuple

from kaguan.apdu.errors import ApduSyntaxError

SHORT_DATA, SHORT_NE = 255, 256
LONG_DATA, LONG_NE = 65_535, 65_536

_new = tuple.__new__
"""Makes a named tuple in half the time that its name takes; what every command makes is made so, here and elsewhere."""


class CommandApdu(NamedTuple):
    """One command. `ne` is the greatest number of response data bytes wanted; None sends no Le at all."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    ne: int | None = None

    @classmethod
    def parse(cls, raw: bytes) -> CommandApdu:
        """The command that these bytes are, short or extended.

        Raises:
            ApduSyntaxError: fewer than four bytes, or lengths that do not add up.
        """
        size = len(raw)
        if size == 5:
            return _new(cls, (raw[0], raw[1], raw[2], raw[3], b"", raw[4] or SHORT_NE))
        if size < 5:
            if size < 4:
                raise ApduSyntaxError(f"a command has at least 4 bytes, these are {size}")
            return cls(raw[0], raw[1], raw[2], raw[3])
        lc = raw[4]
        if lc:
            if size == 5 + lc:
                return _new(cls, (raw[0], raw[1], raw[2], raw[3], raw[5:], None))
            if size == 6 + lc:
                return _new(cls, (raw[0], raw[1], raw[2], raw[3], raw[5:-1], raw[-1] or SHORT_NE))
            raise ApduSyntaxError(f"Lc says {lc} data bytes, {size - 5} bytes follow it")
        return cls._parse_extended(raw, size)

    @classmethod
    def _parse_extended(cls, raw: bytes, size: int) -> CommandApdu:
        if size < 7:
            raise ApduSyntaxError(f"Lc is 00 and {size - 5} byte follows: neither a short nor an extended length")
        header = raw[0], raw[1], raw[2], raw[3]
        length = int.from_bytes(raw[5:7], "big")
        if size == 7:
            return cls(*header, b"", length or LONG_NE)
        if length and size == 7 + length:
            return cls(*header, raw[7:])
        if length and size == 9 + length:
            return cls(*header, raw[7 : 7 + length], int.from_bytes(raw[7 + length :], "big") or LONG_NE)
        raise ApduSyntaxError(f"extended Lc says {length} data bytes, {size - 7} bytes follow it")

    @classmethod
    def of(cls, header: str, data: bytes = b"", ne: int | None = None) -> CommandApdu:
        """A command whose CLA INS P1 P2 are written as eight hex digits; spaces are allowed."""
        cla, ins, p1, p2 = bytes.fromhex(header)
        return cls(cla, ins, p1, p2, data, ne)

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes(self[:4])

    def __bytes__(self) -> bytes:
        cla, ins, p1, p2, data, ne = self
        if len(data) <= SHORT_DATA and (ne is None or ne <= SHORT_NE):
            if not data:
                return bytes((cla, ins, p1, p2) if ne is None else (cla, ins, p1, p2, ne & 0xFF))
            raw = bytes((cla, ins, p1, p2, len(data))) + data
            return raw if ne is None else raw + bytes((ne & 0xFF,))
        if len(data) > LONG_DATA or (ne or 0) > LONG_NE:
            raise ApduSyntaxError(f"{len(data)} data bytes or Ne {ne}: more than an extended APDU holds")
        body = b"\0" + (len(data).to_bytes(2, "big") + data if data else b"")
        return bytes(self[:4]) + body + (b"" if ne is None else (ne & 0xFFFF).to_bytes(2, "big"))

    def __repr__(self) -> str:
        """The header and the lengths alone: data may be a PIN."""
        ne = "" if self.ne is None else f" Ne={self.ne}"
        return f"<{self.header.hex().upper()} Nc={len(self.data)}{ne}>"
