"""Message authentication codes of the card, and the padding under them.

| algorithm | MAC | source |
|---|---|---|
| DES | CBC-MAC | JR/T 0025.2: transaction MACs, TAC; protection, session key |
| 3DES, 16-byte key | ISO/IEC 9797-1 algorithm 3 ("retail", X9.19) | JR/T 0025.2: protection, long key |
| SM4 | CBC-MAC | unconfirmed for the purse and the SSSE: no public text gives it |

Compare MACs with `hmac.compare_digest`, never with `==`.
"""

from __future__ import annotations

from kaguan.apdu.errors import VaultError
from kaguan.vault.ciphers import BlockCipher

MANY_BLOCKS = 12
"""From here on one context for all blocks costs less than a step for each."""

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
    return _last_block(cipher, data, iv)[:4]


def mac8(cipher: BlockCipher, data: bytes, iv: bytes = b"") -> bytes:
    """The leftmost 8 bytes of the same MAC as `mac4`."""
    return _last_block(cipher, data, iv)[:8]


def cbc_mac8(cipher: BlockCipher, data: bytes, iv: bytes = b"") -> bytes:
    """The leftmost 8 bytes of a CBC-MAC with the whole key at every step.

    Differs from `mac8` for 3DES alone: GlobalPlatform's SCP02 cryptograms are made so.
    """
    return _last_block(cipher, data, iv, whole_key=True)[:8]


def _last_block(cipher: BlockCipher, data: bytes, iv: bytes, *, whole_key: bool = False) -> bytes:
    """The last block of a CBC over the padded data; integers are Python's cheapest exclusive or."""
    size = cipher.block_size
    if len(iv) > size:
        raise VaultError(f"an initial value has at most {size} bytes, this has {len(iv)}")
    padded = pad80(data, size)
    last = len(padded) - size
    if last >= MANY_BLOCKS * size and not whole_key:
        state = _integer(cipher.chain_many(iv.ljust(size, b"\0"), padded[:last]), "big")
    else:
        state = _integer(iv.ljust(size, b"\0"), "big") if iv else 0
        chain = cipher.finish if whole_key else cipher.chain
        for start in range(0, last, size):
            state ^= _integer(padded[start : start + size], "big")
            state = _integer(chain(state.to_bytes(size, "big")), "big")
    state ^= _integer(padded[last:], "big")
    return cipher.finish(state.to_bytes(size, "big"))
