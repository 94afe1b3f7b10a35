"""Key check values: how two people find out that they hold the same key, and tell nobody else."""

from __future__ import annotations

from kaguan.vault.ciphers import Algorithm, fresh_cipher
from kaguan.vault.secret import CheckValue


def check_value(key: bytes, algorithm: Algorithm) -> CheckValue:
    """The first three bytes of a block of zeros enciphered with the key.

    Raises:
        VaultError: the key is not as long as the algorithm's keys are.
    """
    made = fresh_cipher(key, algorithm)
    return CheckValue(made.finish(bytes(made.block_size))[:3])
