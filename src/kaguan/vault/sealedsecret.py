"""A secret sealed under a key of the bureau, bound to what it is about.

Layout: version (1 byte), nonce (12), AES-256-GCM of the secret, with what it is about as associated data. The same in
memory and in tokens: what one has sealed the other opens.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC

from kaguan.apdu.errors import VaultError
from kaguan.vault.secret import Secret

NONCE_SIZE, TAG_SIZE = 12, 16
LONGEST_SECRET = 4096
_VERSION = b"\x01"


class SealBroken(VaultError):
    """The sealed secret was changed, is another key's, or is about something else: nobody can tell which."""


class SealedSecret(NamedTuple):
    """The parts of a sealed secret; the cryptogram ends with its tag."""

    nonce: bytes
    cryptogram: bytes

    def __bytes__(self) -> bytes:
        return _VERSION + self.nonce + self.cryptogram

    @classmethod
    def parse(cls, blob: bytes) -> SealedSecret:
        """The parts of these bytes.

        Raises:
            SealBroken: they are no sealed secret.
        """
        least = len(_VERSION) + NONCE_SIZE + TAG_SIZE
        if not blob.startswith(_VERSION) or not least <= len(blob) <= least + LONGEST_SECRET:
            raise SealBroken("these bytes are no sealed secret")
        start = len(_VERSION) + NONCE_SIZE
        return cls(blob[len(_VERSION) : start], blob[start:])


def broken() -> SealBroken:
    """What is said of every seal that does not open."""
    return SealBroken("the sealed secret was changed, or is another key's, or about something else")


def require_length(secret: Secret) -> None:
    """Nothing happens when the secret may be sealed.

    Raises:
        VaultError: it is longer than any secret is.
    """
    if len(secret) > LONGEST_SECRET:
        raise VaultError(f"a sealed secret has at most {LONGEST_SECRET} bytes, this has {len(secret)}")


def close_secret(key: Secret, secret: Secret, about: bytes) -> bytes:
    """The secret sealed. The nonce is a MAC of all that goes in, so no luck is needed and none can run out: the same
    secret about the same thing is the same blob.

    Raises:
        VaultError: the secret is too long.
    """
    require_length(secret)
    everything = len(about).to_bytes(8, "big") + about + secret.reveal()
    nonce = hmac.digest(key.reveal(), b"kaguan sealed secret" + everything, hashlib.sha256)[:NONCE_SIZE]
    return bytes(SealedSecret(nonce, AESGCM(key.reveal()).encrypt(nonce, secret.reveal(), about)))


def disclose_secret(key: Secret, blob: bytes, about: bytes) -> Secret:
    """The secret that was sealed under this key, about this.

    Raises:
        SealBroken: it does not open.
    """
    nonce, cryptogram = SealedSecret.parse(blob)
    try:
        return Secret(AESGCM(key.reveal()).decrypt(nonce, cryptogram, about))
    except InvalidTag:
        raise broken() from None


def cmac(key: Secret, data: bytes) -> bytes:
    """The 16-byte CMAC of the data with an AES key (NIST SP 800-38B)."""
    made = CMAC(AES256(key.reveal()))
    made.update(data)
    return made.finalize()
