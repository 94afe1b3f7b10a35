"""The PIN path: who gets which PIN, in a sealed file of its own key, apart from all that is known of the card.

A record is bound to its card by an opaque mailer id alone. Layout: `KAGUANP1`, 16 random bytes; then chunks of records,
each 4 bytes of length and AES-256-GCM. The file's key is derived from the path's key and the 16 bytes; the nonce is the
chunk's number; the last chunk says that it is the last. So chunks are not moved, left out or cut off unnoticed.

Law 1. A record holds no card number, bank card number or certificate number; one that seems to is refused.
Law 2. A PIN is in the file as a sealed block, and nowhere else on a disk but in the mailer itself.
"""

from __future__ import annotations

import json
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kaguan.apdu.errors import InputError, VaultError
from kaguan.personalization.paper.pairing import check_link
from kaguan.personalization.paper.pins import pin_block, pin_of_block
from kaguan.vault.secret import Pin, Random, Secret

MAGIC = b"KAGUANP1"
KEY_SIZE = 32
RECORDS_A_CHUNK = 500

_SALT_SIZE = 16
_LENGTH = struct.Struct(">I")
_LONGEST_CHUNK = 8 << 20
_NUMBER = struct.Struct(">4xQ")
_MORE, _LAST = b"\x00", b"\x01"
_LONG_NUMBER = re.compile(r"(?:\d[ -]?){14,}[\dX]", re.IGNORECASE)


class PinFileBroken(VaultError):
    """The PIN file was changed or cut off, or another key sealed it."""


@dataclass(frozen=True, slots=True)
class PinRecord:
    """To whom a mailer goes, and the PIN in it. `mailer_id` is a link of `pairing.draw_link`: it says nothing."""

    mailer_id: str
    name: str = field(repr=False)
    address: str = field(repr=False)
    postcode: str = field(repr=False)
    pin: Pin = field(repr=False)

    def __post_init__(self) -> None:
        check_link(self.mailer_id)
        for part in ("name", "address", "postcode"):
            if _LONG_NUMBER.search(unicodedata.normalize("NFKC", getattr(self, part))):
                raise InputError(f"mailer {self.mailer_id}: a long number stands in the {part}; a mailer shows none")


def write_pins(stream: BinaryIO, records: Iterable[PinRecord], key: Secret, random: Random) -> int:
    """The stream holds the records sealed under the key of the PIN path; their number comes back.

    Memory does not grow with the number of records. Make the file for its owner alone (`whole_file(mode=0o600)`).

    Raises:
        VaultError: the key is not 32 bytes.
    """
    salt = random(_SALT_SIZE)
    cipher = _cipher(key, salt)
    stream.write(MAGIC + salt)
    rows, count, number = iter(records), 0, 0
    chunk = list(islice(rows, RECORDS_A_CHUNK))
    while True:
        following = list(islice(rows, RECORDS_A_CHUNK))
        clear = json.dumps([_row(record, random) for record in chunk], ensure_ascii=False).encode()
        sealed = cipher.encrypt(_NUMBER.pack(number), clear, _MORE if following else _LAST)
        stream.write(_LENGTH.pack(len(sealed)) + sealed)
        count += len(chunk)
        if not following:
            return count
        chunk, number = following, number + 1


def read_pins(stream: BinaryIO, key: Secret) -> Iterator[PinRecord]:
    """The records of a sealed PIN file, as they are read: only the door that prints mailers calls this.

    Raises:
        PinFileBroken: no such file, changed, cut off, or of another key; records before the fault have come out.
    """
    head = stream.read(len(MAGIC) + _SALT_SIZE)
    if len(head) != len(MAGIC) + _SALT_SIZE or not head.startswith(MAGIC):
        raise PinFileBroken("this is no PIN file: it should begin with KAGUANP1")
    cipher, number, flag = _cipher(key, head[len(MAGIC) :]), 0, _MORE
    while flag == _MORE:
        clear, flag = _opened(cipher, number, _chunk(stream))
        number += 1
        for mailer_id, name, address, postcode, block in json.loads(clear):
            yield PinRecord(mailer_id, name, address, postcode, pin_of_block(bytes.fromhex(block)))
    if stream.read(1):
        raise PinFileBroken("something was added to the PIN file after it was sealed")


def _row(record: PinRecord, random: Random) -> list[str]:
    return [record.mailer_id, record.name, record.address, record.postcode, pin_block(record.pin, random).hex()]


def _cipher(key: Secret, salt: bytes) -> AESGCM:
    if len(key) != KEY_SIZE:
        raise VaultError(f"the key of the PIN path has {KEY_SIZE} bytes, this has {len(key)}")
    return AESGCM(HKDF(SHA256(), KEY_SIZE, salt, b"kaguan PIN file").derive(key.reveal()))


def _chunk(stream: BinaryIO) -> bytes:
    length = stream.read(_LENGTH.size)
    size = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else 0
    if not 0 < size <= _LONGEST_CHUNK:
        raise PinFileBroken("the PIN file is cut off or changed")
    sealed = stream.read(size)
    if len(sealed) != size:
        raise PinFileBroken("the PIN file is cut off")
    return sealed


def _opened(cipher: AESGCM, number: int, sealed: bytes) -> tuple[bytes, bytes]:
    for flag in (_MORE, _LAST):
        try:
            return cipher.decrypt(_NUMBER.pack(number), sealed, flag), flag
        except InvalidTag:
            continue
    raise PinFileBroken(f"chunk {number + 1} of the PIN file was changed, or another key sealed it")
