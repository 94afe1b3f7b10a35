"""Links for a terminal that outlives its cards."""

from __future__ import annotations

from collections.abc import Callable

from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost, LinkError
from kaguan.apdu.link import Link
from kaguan.terminal.ministry.number import ModuleLost


class EmptySlot:
    """No card: every command is lost."""

    atr = b""

    def transceive(self, command: bytes) -> bytes:
        """Raises: CardLost, always."""
        raise CardLost("a command to an empty slot")

    def reset(self) -> bytes:
        """Raises: CardLost, always."""
        raise CardLost("a reset of an empty slot")

    def close(self) -> None:
        """Nothing is there to close."""


class Slot(Layer):
    """A reader into which cards come and from which they go: a reset opens whatever card is there by then."""

    def __init__(self, insert: Callable[[], Link]) -> None:
        super().__init__(EmptySlot())
        self._insert = insert

    def transceive(self, command: bytes) -> bytes:
        """The card's answer.

        Raises:
            LinkError: none; the card there, if any, is opened by the next reset.
        """
        try:
            return self.link.transceive(command)
        except LinkError:
            self.close()
            raise

    def reset(self) -> bytes:
        """The card that is there now has forgotten its session; its ATR.

        Raises:
            LinkError: there is none.
        """
        if not isinstance(self.link, EmptySlot):
            try:
                return self.link.reset()
            except LinkError:
                self.close()
        self.link = self._insert()
        return self.link.atr

    def close(self) -> None:
        """The reader is free. Closing twice is harmless."""
        card, self.link = self.link, EmptySlot()
        card.close()


class ModuleSlot(Layer):
    """The link to a security module, on which a failure is the module's and never the card's."""

    def transceive(self, command: bytes) -> bytes:
        """The module's answer.

        Raises:
            ModuleLost: none.
        """
        try:
            return self.link.transceive(command)
        except LinkError:
            raise ModuleLost from None

    def reset(self) -> bytes:
        """The module has forgotten its session; its ATR.

        Raises:
            ModuleLost: it does not answer.
        """
        try:
            return self.link.reset()
        except LinkError:
            raise ModuleLost from None
