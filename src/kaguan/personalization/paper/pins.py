"""First PINs: drawn at random, none that a finder would try first; and the form in which they are kept.

Law 1. A PIN is drawn by rejection, so that all that are allowed are equally likely.
Law 2. No error and no repr here holds a digit of a PIN.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise

from kaguan.apdu.errors import InputError, VaultError
from kaguan.vault.secret import PIN_DIGITS, Pin, Random

_UNLUCKY_DRAWS = 10_000
_BLOCK_SIZE = 8
_FORMAT_1 = 1


class PinTrivial(InputError):
    """A PIN that is guessed too easily."""


def draw_pin(random: Random, *, digits: int = 6, born: date | None = None, avoid: Iterable[str] = ()) -> Pin:
    """A PIN at random that is not trivial for somebody born then, and is in none of the numbers to avoid.

    Raises:
        VaultError: the random source gave no allowed PIN in ten thousand draws: it is no random source.
        ValueError: a PIN has 4 to 12 digits.
    """
    if digits not in PIN_DIGITS:
        raise ValueError(f"a PIN has 4 to 12 digits, not {digits}")
    avoided = tuple(avoid)
    for _ in range(_UNLUCKY_DRAWS):
        drawn = _draw_digits(random, digits)
        if trivial_reason(drawn, born=born, avoid=avoided) is None:
            return Pin.of(drawn)
    raise VaultError("the random source gives the same few digits again and again: no PIN was drawn")


def check_pin(pin: Pin, *, born: date | None = None, avoid: Iterable[str] = ()) -> None:
    """The PIN is not trivial.

    Raises:
        PinTrivial: with the rule that it breaks, and without a digit of it.
    """
    if reason := trivial_reason(pin.reveal_digits(), born=born, avoid=avoid):
        raise PinTrivial(f"the PIN is too easily guessed: {reason}")


def trivial_reason(digits: str, *, born: date | None = None, avoid: Iterable[str] = ()) -> str | None:
    """Which rule the digits break, or None.

    Rules: at least three different digits; no four in a row that step by the same 0, 1 or -1 (9 to 0 counts); not one
    group repeated; not the same read backwards; no four digits of the birth date; not within a number to avoid.
    """
    if len(set(digits)) < 3:
        return "it has fewer than three different digits"
    steps = [(int(b) - int(a)) % 10 for a, b in pairwise(digits)]
    if any(steps[i] == steps[i + 1] == steps[i + 2] and steps[i] in (0, 1, 9) for i in range(len(steps) - 2)):
        return "four digits in a row are a run"
    if digits in (digits + digits)[1:-1]:
        return "it repeats a group of digits"
    if digits == digits[::-1]:
        return "it reads the same backwards"
    if born is not None and any(part in digits for part in _parts(born)):
        return "it holds a part of the birth date"
    if any(digits in number for number in avoid):
        return "it is a part of a number of the holder"
    return None


def pin_block(pin: Pin, random: Random) -> bytes:
    """The PIN as a block of ISO 9564-1 format 1, which is bound to no card number: 1, length, digits, random fill."""
    digits = pin.reveal_digits()
    fill = random(_BLOCK_SIZE).hex().upper()
    return bytes.fromhex(f"{_FORMAT_1:X}{len(digits):X}{digits}{fill}"[: 2 * _BLOCK_SIZE])


def pin_of_block(block: bytes) -> Pin:
    """The PIN in a block of format 1.

    Raises:
        VaultError: it is no such block.
    """
    text = block.hex()
    length = int(text[1], 16) if len(block) == _BLOCK_SIZE else 0
    digits = text[2 : 2 + length]
    if len(block) != _BLOCK_SIZE or text[0] != str(_FORMAT_1) or length not in PIN_DIGITS or not digits.isdecimal():
        raise VaultError("this is no PIN block of ISO 9564-1 format 1")
    return Pin.of(digits)


def _draw_digits(random: Random, count: int) -> str:
    """Digits, all equally likely: a byte of 250 or more is drawn again."""
    drawn = ""
    for _ in range(_UNLUCKY_DRAWS):
        drawn += "".join(str(byte % 10) for byte in random(count) if byte < 250)
        if len(drawn) >= count:
            return drawn[:count]
    raise VaultError("the random source gives no usable bytes: no PIN was drawn")


def _parts(born: date) -> frozenset[str]:
    year, short, month, day = f"{born:%Y}", f"{born:%y}", f"{born:%m}", f"{born:%d}"
    return frozenset((year, month + day, day + month, short + month, month + short, day + short, short + day))
