"""Records sealed for the station: enciphered, and bound to their job and their number in it.

Layout: nonce (12), then AES-256-GCM of the record. Authenticated with it: the job's identity and the card's number,
so that a record put in another's place is found out. The nonces are random: one key serves 2^32 records at most
(NIST SP 800-38D, 8.3), far more than a job has.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kaguan.apdu.errors import VaultError
from kaguan.vault.secret import Secret

KEY_SIZE = 32
NONCE_SIZE = 12
MAC_SIZE = 16
TAG_SIZE = 16


class RecordTampered(VaultError):
    """A sealed record was changed, belongs elsewhere, or was sealed under another job's key."""


class RecordKey:
    """A job's data key: it seals records, and makes tags by which a number is found that is not stored.

    Like the secret it is made of, it does not show and is not pickled.
    """

    __slots__ = ("_cipher", "_secret", "_tag_key")

    def __init__(self, secret: Secret) -> None:
        if len(secret) != KEY_SIZE:
            raise VaultError(f"a data key has {KEY_SIZE} bytes, this has {len(secret)}")
        self._secret = secret
        self._cipher = AESGCM(_derived(secret, b"kaguan record sealing"))
        self._tag_key = _derived(secret, b"kaguan record tags")

    def __repr__(self) -> str:
        return "<RecordKey>"

    def __reduce__(self) -> tuple[Any, ...]:
        """As what it is made from, which a pickle refuses to hold."""
        return RecordKey, (self._secret,)

    def seal(self, number: int, job: bytes, record: bytes) -> bytes:
        """The record sealed for this place in this job."""
        return self.seal_all([number], job, [record])[0]

    def open(self, number: int, job: bytes, sealed: bytes) -> bytes:
        """The record that was sealed for this place in this job.

        Raises:
            RecordTampered: these bytes are not that.
        """
        nonce = sealed[:NONCE_SIZE]
        try:
            if len(sealed) < NONCE_SIZE + MAC_SIZE:
                raise InvalidTag
            return self._cipher.decrypt(nonce, sealed[NONCE_SIZE:], _place(job) + number.to_bytes(8, "big"))
        except InvalidTag:
            raise RecordTampered(
                f"the sealed record of card {number} was changed, or is another card's or another job's: "
                "prepare the job again from its order"
            ) from None

    def seal_all(self, numbers: Iterable[int], job: bytes, records: Sequence[bytes]) -> list[bytes]:
        """Each record sealed for its place in this job."""
        encrypt, place = self._cipher.encrypt, _place(job)
        luck = secrets.token_bytes(NONCE_SIZE * len(records))
        nonces = (luck[at : at + NONCE_SIZE] for at in range(0, len(luck), NONCE_SIZE))
        return [
            nonce + encrypt(nonce, record, place + number.to_bytes(8, "big"))
            for number, nonce, record in zip(numbers, nonces, records, strict=True)
        ]

    def open_all(self, numbers: Iterable[int], job: bytes, sealed: Iterable[bytes]) -> list[bytes]:
        """The records that were sealed for these places.

        Raises:
            RecordTampered: the first that is not that, by its number.
        """
        return [self.open(number, job, blob) for number, blob in zip(numbers, sealed, strict=True)]

    def tag(self, text: str) -> bytes:
        """What stands for this text in an index: the same for the same text, and nothing without the key."""
        return hmac.digest(self._tag_key, text.encode(), "sha256")[:TAG_SIZE]


def _place(job: bytes) -> bytes:
    return b"kaguan record 1" + len(job).to_bytes(4, "big") + job


def _derived(secret: Secret, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_SIZE, salt=None, info=purpose).derive(secret.reveal())
