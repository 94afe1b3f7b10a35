"""Secrets that the books have to give back: sealed under the secret key that the environment fixes."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from kaguan.apdu.errors import InputError
from kaguan.vault.secret import Secret

_NONCE_BYTES: Final = 12


def seal(secret: Secret, what: str, owner: str) -> str:
    """Return the secret sealed for this use and owner, in hex; no other opens it."""
    nonce = os.urandom(_NONCE_BYTES)
    return (nonce + _key(what).encrypt(nonce, secret.reveal(), owner.encode())).hex()


def unseal(sealed: str, what: str, owner: str) -> Secret:
    """Return what was sealed; refuse with InputError when it was under another key, or for somebody else."""
    raw = bytes.fromhex(sealed)
    try:
        return Secret(_key(what).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()))
    except InvalidTag:
        raise InputError(f"the {what} was sealed under another KAGUAN_SECRET_KEY: set that one") from None


def _key(what: str) -> AESGCM:
    if not settings.SECOND_FACTOR_SECRET:
        raise InputError(f"a {what} is sealed under KAGUAN_SECRET_KEY: set it, and the same one every time")
    material = settings.SECOND_FACTOR_SECRET.encode()
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=f"kaguan {what}".encode()).derive(material))
