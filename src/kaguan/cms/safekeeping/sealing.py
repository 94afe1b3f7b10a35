"""A stream of bytes sealed in chunks, so that no part of it can be changed, moved, dropped or cut off unseen.

Layout: `KAGUANB1`, length of the sealed data key (2), the data key sealed by the key store, then chunks: length (4)
and AES-256-GCM of up to 1 MiB. A chunk's nonce is its number from 0 (11 bytes) and 1 for the last one, 0 else (the
STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár); each data key seals one stream.
"""

from __future__ import annotations

import io
import secrets
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kaguan.apdu.errors import InputError, VaultError
from kaguan.personalization.keystore import RECORDS
from kaguan.vault.secret import Secret
from kaguan.vault.vault import KeyVault

MAGIC: Final = b"KAGUANB1"
CHUNK_SIZE: Final = 2**20
_TAG_SIZE: Final = 16
_ABOUT: Final = b"kaguan cms backup"


class Sealing(io.RawIOBase):
    """Write here, and it stands sealed in the stream; close it to end the last chunk."""

    def __init__(self, stream: BinaryIO, vault: KeyVault) -> None:
        key = secrets.token_bytes(32)
        sealed_key = vault.seal_secret(RECORDS, Secret(key), _ABOUT)
        stream.write(MAGIC + len(sealed_key).to_bytes(2, "big") + sealed_key)
        self._stream, self._cipher = stream, AESGCM(key)
        self._waiting, self._number = bytearray(), 0

    def writable(self) -> bool:
        """It takes bytes."""
        return True

    def write(self, data: object, /) -> int:
        """All of it is taken."""
        taken = memoryview(data)  # type: ignore[arg-type]
        self._waiting += taken
        while len(self._waiting) > CHUNK_SIZE:
            self._put(bytes(self._waiting[:CHUNK_SIZE]), is_last=False)
            del self._waiting[:CHUNK_SIZE]
        return len(taken)

    def close(self) -> None:
        """The last chunk is written."""
        if not self.closed:
            self._put(bytes(self._waiting), is_last=True)
        super().close()

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, MAGIC)
        self._stream.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class Unsealing(io.RawIOBase):
    """Read here what was sealed into the stream, which stands after its magic.

    Raises:
        VaultError: the key store has not the key, or what it sealed was changed or cut off.
    """

    def __init__(self, stream: io.BufferedReader, vault: KeyVault) -> None:
        sealed_key = stream.read(int.from_bytes(stream.read(2), "big"))
        self._stream = stream
        self._cipher = AESGCM(vault.open_secret(RECORDS, sealed_key, _ABOUT).reveal())
        self._ready, self._number, self._ended = b"", 0, False

    def readable(self) -> bool:
        """It gives bytes."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Some of what was sealed is in the buffer; nothing is there after the last chunk."""
        while not self._ready and not self._ended:
            self._ready = self._next()
        target = memoryview(buffer)  # type: ignore[arg-type]
        given = min(len(target), len(self._ready))
        target[:given], self._ready = self._ready[:given], self._ready[given:]
        return given

    def _next(self) -> bytes:
        size = int.from_bytes(self._stream.read(4), "big")
        if not _TAG_SIZE <= size <= CHUNK_SIZE + _TAG_SIZE:
            raise VaultError("the sealed backup is cut off or was changed: take another copy of it")
        sealed = self._stream.read(size)
        self._ended = not self._stream.peek(1)
        try:
            chunk = self._cipher.decrypt(_nonce(self._number, is_last=self._ended), sealed, MAGIC)
        except InvalidTag:
            raise VaultError("the sealed backup is cut off or was changed: take another copy of it") from None
        self._number += 1
        return chunk


def is_sealed(stream: io.BufferedReader) -> bool:
    """Return whether the stream holds sealed bytes, and stand after the magic if so."""
    if stream.peek(len(MAGIC))[: len(MAGIC)] != MAGIC:
        return False
    return stream.read(len(MAGIC)) == MAGIC


def require_no_vault(vault: KeyVault | None) -> None:
    """Return when no key store was named for what is not sealed; refuse with InputError otherwise."""
    if vault is not None:
        raise InputError("the backup is not sealed: leave the key store away, and ask who wrote it in clear")


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
