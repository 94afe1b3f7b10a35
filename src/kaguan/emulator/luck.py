"""Random numbers that are known beforehand, so that an exchange can be repeated to the byte."""

from __future__ import annotations

from collections.abc import Iterable

from kaguan.apdu.errors import InputError


class DealtRandom:
    """Random numbers dealt in order: the first to whoever asks first. Give it to a card as its `random`."""

    def __init__(self, numbers: Iterable[bytes]) -> None:
        self._numbers = tuple(numbers)
        self._dealt = 0

    @property
    def left(self) -> int:
        """How many of them nobody has asked for yet."""
        return max(0, len(self._numbers) - self._dealt)

    def __call__(self, size: int) -> bytes:
        """The next number.

        Raises:
            InputError: there is none left, or it has not `size` bytes.
        """
        self._dealt += 1
        if self._dealt > len(self._numbers):
            raise InputError(f"the card needs a random number of {size} bytes, its {self._dealt}.: no more were given")
        number = self._numbers[self._dealt - 1]
        if len(number) != size:
            raise InputError(
                f"the card's random number {self._dealt} must have {size} bytes, the one given has {len(number)}"
            )
        return number
