"""An emulated card: the chip's pure functions, given memory, power and luck, behind a `Link`."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from kaguan.apdu.command import CommandApdu
from kaguan.apdu.errors import ApduSyntaxError, CardLost
from kaguan.apdu.instruction import instruction_of
from kaguan.card_os.dispatch import execute
from kaguan.card_os.image import CardImage
from kaguan.card_os.outcome import Chip
from kaguan.card_os.profile import load_profile
from kaguan.card_os.session import settled, start_of
from kaguan.emulator.nvm import Nvm, Power, PowerLost, Storage

WRONG_LENGTH = b"\x67\x00"
MEMORY_FAILURE = b"\x65\x81"


class EmulatedCard:
    """A card with power on it. `transceive` takes what a terminal sends and gives what the contacts carry back."""

    def __init__(
        self,
        image: CardImage,
        *,
        storage: Storage | None = None,
        power: Power | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.nvm = Nvm(image, power=power, storage=storage)
        self._chip = Chip(random, load_profile(image.profile).behaviour)
        self._session = self._start = start_of(self._chip.behaviour)
        self._powered = True

    @property
    def image(self) -> CardImage:
        """The memory as it is."""
        return self.nvm.image

    @property
    def power(self) -> Power:
        """The supply, for cutting."""
        return self.nvm.power

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self.nvm.image.atr

    def transceive(self, command: bytes) -> bytes:
        """The response to one command, its writes committed before it is given; 6581 when they cannot be stored.

        Raises:
            CardLost: the power failed, or there was none; `reset` brings the card back.
        """
        if not self._powered:
            raise CardLost("a command to a card without power")
        try:
            parsed = CommandApdu.parse(command)
        except ApduSyntaxError:
            return self._failed(WRONG_LENGTH)
        # A command of more than five bytes with Lc 00 has extended lengths.
        if len(command) > 5 and not command[4] and not self._chip.behaviour.wire.extended_length:
            return self._failed(WRONG_LENGTH)
        data, sw, session, groups = execute(self.nvm.image, self._session, parsed, self._chip)
        if groups:
            try:
                for group in groups:
                    self.nvm.commit(group)
            except PowerLost:
                self._lose_power()
                row = instruction_of(parsed.cla, parsed.ins, parsed.p1)
                raise CardLost(row.name if row else "a command") from None
            except OSError:
                return self._failed(MEMORY_FAILURE)
        self._session = session
        return data + sw.to_bytes(2, "big")

    def reset(self) -> bytes:
        """The card has power, a whole memory and no session; its ATR.

        Raises:
            CardLost: the power failed again during recovery.
        """
        self._session = self._start
        try:
            self.nvm.recover()
        except PowerLost:
            self._powered = False
            raise CardLost("recovery at power-up") from None
        self._powered = True
        return self.atr

    def close(self) -> None:
        """The power is off; the session is forgotten."""
        self._lose_power()

    def _lose_power(self) -> None:
        self._powered = False
        self._session = self._start

    def _failed(self, sw: bytes) -> bytes:
        """The answer of a card that could not do the command: what it was in the middle of is over."""
        self._session = settled(self._session)
        return sw
