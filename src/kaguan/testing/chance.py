"""Randomness that a test holds in its hand."""

from __future__ import annotations

import random
from collections import deque


class Chance:
    """An emulated card's random numbers: first those that were dealt, then ones that hang on the seed alone."""

    def __init__(self, seed: str) -> None:
        self._generator = random.Random(seed)
        self._dealt: deque[bytes] = deque()

    def deal(self, *numbers: bytes | str) -> None:
        """The card's next random numbers are these, in this order; texts are hex."""
        self._dealt.extend(bytes.fromhex(number) if isinstance(number, str) else number for number in numbers)

    def __call__(self, size: int) -> bytes:
        """The next number.

        Raises:
            AssertionError: the one that was dealt has another size.
        """
        if not self._dealt:
            return self._generator.randbytes(size)
        number = self._dealt.popleft()
        if len(number) != size:
            raise AssertionError(f"the card wants a random number of {size} bytes, the one dealt has {len(number)}")
        return number
