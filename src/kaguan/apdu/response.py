"""Response APDUs: data and a status word."""

from __future__ import annotations

from typing import NamedTuple

from kaguan.apdu.errors import ApduSyntaxError
from kaguan.apdu.status import OK, StatusWord

_new = tuple.__new__  # as in `apdu.command`


class ResponseApdu(NamedTuple):
    """What the card answered."""

    data: bytes
    sw: StatusWord

    @classmethod
    def parse(cls, raw: bytes) -> ResponseApdu:
        """The response that these bytes are.

        Raises:
            ApduSyntaxError: fewer than two bytes.
        """
        if len(raw) < 2:
            raise ApduSyntaxError(f"a response has at least 2 bytes, this has {len(raw)}")
        sw = raw[-2] << 8 | raw[-1]
        return _new(cls, (raw[:-2], OK if sw == 0x9000 else StatusWord(sw)))

    def __bytes__(self) -> bytes:
        return self.data + bytes(self.sw)

    def __repr__(self) -> str:
        """The length and the status word alone: data may be personal."""
        return f"<{len(self.data)} bytes {self.sw}>"
