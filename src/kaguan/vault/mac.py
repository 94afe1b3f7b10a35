"""Message authentication codes of the card, and the padding under them.

| algorithm | MAC | source |
|---|---|---|
| DES | CBC-MAC | JR/T 0025.2: transaction MACs, TAC; protection, session key |
| 3DES, 16-byte key | ISO/IEC 9797-1 algorithm 3 ("retail", X9.19) | JR/T 0025.2: protection, long key |
| SM4 | CBC-MAC | unconfirmed for the purse and the SSSE: no public text gives it |

Compare MACs with `hmac.compare_digest`, never with `==`.
"""

from __future__ import annotations

from collections.abc import Callable

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import BlockCipher

_integer = int.from_bytes


def pad80(data: bytes, block_size: int) -> bytes:
    """The data, an 80 and zeros up to a whole block; always padded, so whole data grows by a block.

    ISO/IEC 9797-1, padding method 2.
    """
    return data + b"\x80" + bytes(block_size - 1 - len(data) % block_size)


def mac4(cipher: BlockCipher, data: bytes, iv: bytes = b"") -> bytes:
    """The leftmost 4 bytes of the MAC, which is what cards send.

    A short initial value (a 4-byte challenge, or none) is filled with zeros on the right.

    Raises:
        VaultError: the initial value is longer than a block.
    """
    return _chained(cipher.chain, cipher.finish, cipher.block_size, data, iv)[:4]


def mac8(cipher: BlockCipher, data: bytes, iv: bytes = b"") -> bytes:
    """The leftmost 8 bytes of the same MAC as `mac4`."""
    return _chained(cipher.chain, cipher.finish, cipher.block_size, data, iv)[:8]


def cbc_mac8(cipher: BlockCipher, data: bytes, iv: bytes = b"") -> bytes:
    """The leftmost 8 bytes of a CBC-MAC with the whole key at every step.

    Differs from `mac8` for 3DES alone: GlobalPlatform's SCP02 cryptograms are made so.
    """
    return _chained(cipher.finish, cipher.finish, cipher.block_size, data, iv)[:8]


def _chained(
    chain: Callable[[bytes], bytes], finish: Callable[[bytes], bytes], size: int, data: bytes, iv: bytes
) -> bytes:
    """The last block of a CBC over the padded data; integers are Python's cheapest exclusive or."""
    if len(iv) > size:
        raise VaultError(f"an initial value has at most {size} bytes, this has {len(iv)}")
    state = _integer(iv.ljust(size, b"\0"), "big") if iv else 0
    padded = pad80(data, size)
    last = len(padded) - size
    for start in range(0, last, size):
        state ^= _integer(padded[start : start + size], "big")
        state = _integer(chain(state.to_bytes(size, "big")), "big")
    state ^= _integer(padded[last:], "big")
    return finish(state.to_bytes(size, "big"))
