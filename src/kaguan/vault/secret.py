"""Bytes that must not show: keys, PINs, passphrases.

Law 1. The value leaves by `reveal` (or `reveal_digits`) alone; repr, str, format and pickle never hold it.
Law 2. Comparison takes the same time wherever the first difference is.
Law 3. No error raised here quotes the value it refuses.

Python cannot wipe memory: a secret lives until the garbage collector takes it, so keep few of them, briefly.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from kaguan.apdu.errors import CodecError

Random: TypeAlias = Callable[[int], bytes]
"""Luck as an argument: asked for n, it gives n unpredictable bytes."""

PIN_DIGITS = range(4, 13)


class Secret:
    """A byte string that never shows."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The value itself: hand it on at once, keep no copy."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would tell equal secrets apart for free

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._value)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not to be pickled or copied")


class Pin(Secret):
    """A PIN in the form the card compares: BCD digits, an odd number of them filled with F on the right."""

    __slots__ = ()

    @classmethod
    def of(cls, digits: str) -> Pin:
        """The PIN of 4 to 12 decimal digits.

        Raises:
            CodecError: too short, too long, or something other than 0 to 9; the text never quotes the digits.
        """
        if not (digits.isascii() and digits.isdigit()):
            raise CodecError("a PIN is made of the digits 0 to 9 only")
        if len(digits) not in PIN_DIGITS:
            raise CodecError(f"a PIN has 4 to 12 digits, this has {len(digits)}")
        return cls(bytes.fromhex(digits + "F" * (len(digits) % 2)))

    @property
    def length(self) -> int:
        """How many digits there are."""
        return 2 * len(self._value) - (self._value[-1] & 0x0F == 0x0F)

    def reveal_digits(self) -> str:
        """The digits as text, for the PIN mailer alone."""
        return self._value.hex()[: self.length]

    def __repr__(self) -> str:
        """Less than a secret shows: the number of bytes would narrow the number of digits."""
        return "<Pin>"


@dataclass(frozen=True, slots=True)
class CheckValue:
    """Three bytes that name a key without telling it: the start of a block of zeros enciphered."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != 3:
            raise CodecError(f"a key check value has 3 bytes, this has {len(self.value)}")

    @classmethod
    def parse(cls, text: str) -> CheckValue:
        """The check value written as six hex digits.

        Raises:
            CodecError: the text is no hex, or not six digits.
        """
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise CodecError(f"a key check value is six hex digits, this is {text!r}") from None

    def __str__(self) -> str:
        return self.value.hex().upper()
