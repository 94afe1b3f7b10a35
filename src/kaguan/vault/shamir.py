"""Shamir's scheme over GF(256): any m shares give the secret, any m-1 leave every secret equally possible.

A. Shamir, "How to share a secret", 1979; the field is that of AES (FIPS 197, 4.2). Each byte of the secret is the
value at 0 of a polynomial of its own, share number x holds the values at x. Nothing branches on a secret and no
table is looked up by one.
"""

from __future__ import annotations

from collections.abc import Mapping

from kaguan.apdu.errors import VaultError
from kaguan.vault.secret import Random, Secret

MOST_SHARES = 99
"""The field would allow 255; numbers of two digits fit a sheet."""


def split(secret: Secret, threshold: int, count: int, random: Random) -> dict[int, Secret]:
    """The secret as shares 1 to count, any `threshold` of which give it back.

    Raises:
        VaultError: not 2 <= threshold <= count <= MOST_SHARES.
    """
    if not 2 <= threshold <= count <= MOST_SHARES:
        raise VaultError(f"shares are {threshold} of {count}: it takes at least 2, and at most {MOST_SHARES} there are")
    coefficients = [secret.reveal(), *(random(len(secret)) for _ in range(threshold - 1))]
    return {number: Secret(_at(coefficients, number)) for number in range(1, count + 1)}


def combine(shares: Mapping[int, Secret]) -> Secret:
    """The secret of exactly these shares: the right one only when they are enough and none is changed."""
    return interpolate(shares, 0)


def interpolate(shares: Mapping[int, Secret], at: int) -> Secret:
    """What share number `at` is when these are all on one polynomial; number 0 is the secret."""
    (size,) = {len(share) for share in shares.values()}
    total = bytearray(size)
    for number, share in shares.items():
        weight = 1
        for other in shares:
            if other != number:
                weight = times(weight, times(at ^ other, inverse(number ^ other)))
        for index, value in enumerate(share.reveal()):
            total[index] ^= times(value, weight)
    return Secret(bytes(total))


def times(left: int, right: int) -> int:
    """The product in the field."""
    product = 0
    for _ in range(8):
        product ^= left & -(right & 1)
        left = (left << 1) ^ (0x11B & -(left >> 7))
        right >>= 1
    return product


def inverse(value: int) -> int:
    """The number whose product with this one is 1: its 254th power."""
    power = 1
    for _ in range(7):
        value = times(value, value)
        power = times(power, value)
    return power


def _at(coefficients: list[bytes], number: int) -> bytes:
    """The polynomials' values at this number, by Horner's rule."""
    values = bytes(len(coefficients[0]))
    for row in reversed(coefficients):
        values = bytes(times(value, number) ^ coefficient for value, coefficient in zip(values, row, strict=True))
    return values
