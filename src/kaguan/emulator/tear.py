"""Tearing: the power of an emulated card goes in the middle of a command that somebody chose."""

from __future__ import annotations

from kaguan.apdu.instruction import instruction_of
from kaguan.emulator.card import EmulatedCard


class TornCard:
    """A card that loses its power once: during the first command of this name, after so many physical writes."""

    def __init__(self, card: EmulatedCard, *, during: str, after_writes: int) -> None:
        self._card = card
        self._during = during
        self._after_writes = after_writes
        self.torn = False

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._card.atr

    def transceive(self, command: bytes) -> bytes:
        """The card's answer, unless the power goes.

        Raises:
            CardLost: the power went; `reset` brings the card back.
        """
        row = instruction_of(*command[:3]) if len(command) > 3 else None
        if row is None or row.name != self._during or self.torn:
            return self._card.transceive(command)
        self.torn = True
        self._card.power.cut_after(self._after_writes)
        try:
            return self._card.transceive(command)
        finally:
            self._card.power.restore()

    def reset(self) -> bytes:
        """The card has power again."""
        return self._card.reset()

    def close(self) -> None:
        """Close the card."""
        self._card.close()
