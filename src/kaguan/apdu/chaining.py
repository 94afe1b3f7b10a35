"""Links over links: each follows one rule of the T=0 wire, so that those above it need not know it.

Law 1. Every exchange ends, whatever the card answers.
Law 2. Only the rule's own status words (61xx, 6Cxx) are acted on; all others pass untouched.

Built from the wire up: `GetResponse(RightLe(T0Shape(link)))`.
Source: ISO/IEC 7816-3, 12.2; ISO/IEC 7816-4, 5.4.1.
"""

from __future__ import annotations

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import LinkError
from kaguan.apdu.link import Link
from kaguan.apdu.response import ResponseApdu

MOST_ROUNDS = 1024
"""The longest answer, 65,536 bytes, fits even when every part has only 64 of them."""


class Layer:
    """A link that passes everything on to the link below; a layer overrides what its rule is about."""

    def __init__(self, link: Link) -> None:
        self.link = link

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self.link.atr

    def transceive(self, command: bytes) -> bytes:
        """The answer of the link below, unchanged."""
        return self.link.transceive(command)

    def reset(self) -> bytes:
        """Reset the card below; the ATR comes back."""
        return self.link.reset()

    def close(self) -> None:
        """Close the link below."""
        self.link.close()


class GetResponse(Layer):
    """A link on which 61xx is never the last word: GET RESPONSE has fetched all bytes the card promised."""

    def transceive(self, command: bytes) -> bytes:
        """All data parts in one, with the last status word.

        Raises:
            LinkError: the card promises more for ever.
        """
        raw = self.link.transceive(command)
        data = bytearray()
        for _ in range(MOST_ROUNDS):
            response = ResponseApdu.parse(raw)
            data += response.data
            waiting = response.sw.more
            if waiting is None:
                return bytes(data) + bytes(response.sw)
            fetch = CommandApdu(response_cla(command[0]), 0xC0, 0x00, 0x00, ne=waiting)
            raw = self.link.transceive(bytes(fetch))
        raise LinkError(f"{MOST_ROUNDS} times 61xx: the card promises without end; reset it and read its state")


class RightLe(Layer):
    """A link that has asked once more, with the Le that the card named, after 6Cxx."""

    def transceive(self, command: bytes) -> bytes:
        """The answer to the command with the right Le; a second 6Cxx is passed on."""
        raw = self.link.transceive(command)
        right_le = ResponseApdu.parse(raw).sw.right_le
        if right_le is None:
            return raw
        return self.link.transceive(bytes(CommandApdu.parse(command)._replace(ne=right_le)))


class T0Shape(Layer):
    """A link whose commands fit T=0, where one command carries data one way only.

    A command with data and Le goes without its Le; what it answers is then fetched by GET RESPONSE.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._fetching = GetResponse(link)

    def transceive(self, command: bytes) -> bytes:
        """The answer, fetched when the command had both data and Le; 61xx to others is passed on.

        Raises:
            ApduSyntaxError: bytes that are no command.
            LinkError: as `GetResponse`.
        """
        parsed = CommandApdu.parse(command)
        if parsed.data and parsed.ne is not None:
            return self._fetching.transceive(bytes(parsed._replace(ne=None)))
        return self.link.transceive(command)


def response_cla(cla: int) -> int:
    """The CLA of the GET RESPONSE that follows a command of this CLA: its logical channel, nothing else.

    CLA 8x is read as GlobalPlatform codes it; every other proprietary class (B0, BF, E0 ...) says nothing
    of channels, so channel 0. Source: ISO/IEC 7816-4, table 2 and 3.
    """
    if cla & 0xC0 == 0x40:
        return 0x40 | cla & 0x0F
    return cla & 0x03 if cla >> 4 in {0x0, 0x1, 0x8} else 0x00
