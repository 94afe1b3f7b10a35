"""Keys that sign what leaves card management: Ed25519, made in a file of their own outside the database.

One purpose a key: what signs checkpoints of the audit log signs no certificate of a card.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from kaguan.apdu.errors import InputError, RuleBroken

OWNER_ONLY = 0o600
OTHERS = 0o077


def make_key(file: Path) -> Path:
    """Leave a new private key in the file, for its owner only, and its public key in `<file>.pub`; return that path.

    Raises:
        RuleBroken: there is such a file; nothing was changed.
    """
    public_file = file.with_name(file.name + ".pub")
    if file.exists() or public_file.exists():
        raise RuleBroken(f"{file} or {public_file.name} is there already: a key that has signed is kept")
    key = Ed25519PrivateKey.generate()
    _create(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), OWNER_ONLY)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _create(public_file, public, 0o644)
    return public_file


def read_key(file: Path) -> Ed25519PrivateKey:
    """Return the private key in the file.

    Raises:
        RuleBroken: others than its owner may read the file.
        InputError: it holds no such key.
    """
    if file.stat().st_mode & OTHERS:
        raise RuleBroken(f"{file} may be read by others, who could sign with it: chmod 600, and think who has read it")
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        raise InputError(f"{file} holds no private key in PEM form without a passphrase") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{file} holds a key of another kind: Kaguan signs with Ed25519")
    return key


def read_public_key(file: Path) -> Ed25519PublicKey:
    """Return the public key in the file; refuse with InputError when it holds none."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except ValueError:
        raise InputError(f"{file} holds no public key in PEM form") from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{file} holds a key of another kind: Kaguan signs with Ed25519")
    return key


def is_signed(public_key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Return whether the key's owner signed the message."""
    try:
        public_key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _create(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fsync(stream.fileno())
