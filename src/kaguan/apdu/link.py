"""A link is the only way to a card: bytes go out, bytes come back."""

from __future__ import annotations

from typing import Protocol


class Link(Protocol):
    """A powered card behind some reader, real or emulated."""

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        ...

    def transceive(self, command: bytes) -> bytes:
        """Send one command APDU, get one response APDU, exactly as the contacts carry it.

        Raises:
            LinkError: there was no answer; what the card did is unknown.
        """
        ...

    def reset(self) -> bytes:
        """Reset the card, so that it forgets its session; the ATR comes back."""
        ...

    def close(self) -> None:
        """Power the card off and let it go. Closing twice is harmless."""
        ...
