"""A sealed store: bytes that only a passphrase opens, and that nobody changes unnoticed.

Layout: `KAGUANV1`, kind (1 byte), Argon2id memory in KiB (4), iterations (4), lanes (1), salt (16), nonce
(12), then AES-256-GCM of the payload. All that comes before the cryptogram is authenticated with it. The
costs come from the file, so they are bounded before any memory is asked for.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kaguan.apdu.errors import VaultError
from kaguan.vault.secret import Random, Secret
from kaguan.vault.vault import WrongPassphrase

MAGIC = b"KAGUANV1"
_HEADER = struct.Struct(">8sBIIB16s12s")
_TAG_SIZE = 16


class StoreKind(StrEnum):
    """Whether the keys protect anything real."""

    TEST = "test"
    LIVE = "live"


_KINDS = {StoreKind.TEST: 1, StoreKind.LIVE: 2}


class SealingCost(NamedTuple):
    """How hard one guess of the passphrase is; RFC 9106's choice for machines without much memory."""

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4


_USUAL_COSTS = {
    StoreKind.TEST: SealingCost(memory_kib=8_192, iterations=1, lanes=1),  # opened often, and nothing in it is secret
    StoreKind.LIVE: SealingCost(),
}
GREATEST_COST = SealingCost(memory_kib=262_144, iterations=16, lanes=16)


class SealedStoreMalformed(VaultError):
    """These bytes are no sealed store, or ask for more memory or time than any honest one."""


def seal(payload: bytes, kind: StoreKind, passphrase: Secret, random: Random, cost: SealingCost | None = None) -> bytes:
    """The payload sealed with a fresh salt and nonce, at the usual cost of such a store if no other is named."""
    cost = cost or _USUAL_COSTS[kind]
    salt, nonce = random(16), random(12)
    header = _HEADER.pack(MAGIC, _KINDS[kind], *cost, salt, nonce)
    return header + AESGCM(_stretched(passphrase, salt, cost)).encrypt(nonce, payload, header)


def unseal(blob: bytes, passphrase: Secret) -> tuple[StoreKind, bytes]:
    """The kind and the payload of a sealed store.

    Raises, in this order:
        SealedStoreMalformed: no sealed store of this version, or costs outside the bounds.
        WrongPassphrase: another passphrase sealed it, or a byte was changed since.
    """
    if len(blob) < _HEADER.size + _TAG_SIZE or not blob.startswith(MAGIC):
        raise SealedStoreMalformed("this is no sealed key store: it should begin with KAGUANV1")
    header = blob[: _HEADER.size]
    _, kind_byte, memory_kib, iterations, lanes, salt, nonce = _HEADER.unpack(header)
    kinds = {byte: kind for kind, byte in _KINDS.items()}
    if kind_byte not in kinds:
        raise SealedStoreMalformed(f"byte 9 of a key store says 1 for test or 2 for live, this says {kind_byte}")
    cost = SealingCost(memory_kib, iterations, lanes)
    if any(not 1 <= asked <= most for asked, most in zip(cost, GREATEST_COST, strict=True)):
        raise SealedStoreMalformed(f"the key store asks for {cost}, the bounds are 1 to {GREATEST_COST}")
    if memory_kib < 8 * lanes:
        raise SealedStoreMalformed(f"Argon2id needs 8 KiB of memory a lane, the key store says {cost}")
    try:
        payload = AESGCM(_stretched(passphrase, salt, cost)).decrypt(nonce, blob[_HEADER.size :], header)
    except InvalidTag:
        raise WrongPassphrase("the passphrase is wrong, or the key store was changed after sealing") from None
    return kinds[kind_byte], payload


def _stretched(passphrase: Secret, salt: bytes, cost: SealingCost) -> bytes:
    kdf = Argon2id(salt=salt, length=32, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib)
    return kdf.derive(passphrase.reveal())
