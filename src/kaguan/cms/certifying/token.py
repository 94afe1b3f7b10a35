"""An extract as signed text: JWS in its compact form (RFC 7515), Ed25519 (RFC 8037), typed (RFC 8725).

Law. The signature is looked at before anything that is signed.
Law. One text says one thing: whatever character is changed, the text is no certificate any more.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from kaguan.apdu.errors import InputError
from kaguan.cms.canonical import canonical
from kaguan.cms.rules.certificates import Extract, claims_of, read_claims
from kaguan.cms.rules.refusals import NotCertified

TYPE: Final = "ssc+jwt"
LONGEST: Final = 2_000
_THUMBED: Final = frozenset({"kty", "crv", "x"})  # what RFC 7638 hashes
_ALGORITHM: Final = "EdDSA"
_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


def key_id(key: Ed25519PublicKey) -> str:
    """Return the name that follows from the key: its JWK thumbprint (RFC 7638)."""
    thumbed = {name: told for name, told in jwk_of(key).items() if name in _THUMBED}
    return _unpadded(hashlib.sha256(canonical(thumbed)).digest())


def jwk_of(key: Ed25519PublicKey) -> dict[str, str]:
    """Return the public key as a JWK (RFC 8037), without its name."""
    return {"kty": "OKP", "crv": "Ed25519", "x": _unpadded(key.public_bytes_raw()), "alg": _ALGORITHM, "use": "sig"}


def signed(shown: Extract, key: Ed25519PrivateKey) -> str:
    """Return the extract signed; the same extract and key give the same text."""
    headers = {"typ": TYPE, "kid": key_id(key.public_key())}
    return PyJWS().encode(canonical(claims_of(shown)), key, algorithm=_ALGORITHM, headers=headers)


def opened(text: str, keys: Mapping[str, Ed25519PublicKey]) -> Extract:
    """Return what the text says, once one of these keys, by the name that it gives, is found to have signed it.

    Refuses, in this order: with InputError what is no such text, with NotCertified another key or a wrong signature.
    """
    name = signer_of(text)
    if name not in keys:
        raise NotCertified(f"it was signed by key {name}, which is none of those that are trusted")
    try:
        payload = PyJWS().decode(text.strip(), keys[name], algorithms=[_ALGORITHM])
    except PyJWTError:
        raise NotCertified("its signature is wrong: it was changed, or never signed by that key") from None
    return read_claims(payload)


def signer_of(text: str) -> str:
    """Return the name of the key that the text says to be signed by; refuse with InputError what is no such text."""
    form = _FORM.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if form is None or any(_unpadded(_bytes(part)) != part for part in form.groups()):
        raise InputError("this is no certificate: it has three parts of letters, digits, - and _, with dots between")
    try:
        header = PyJWS().get_unverified_header(text.strip())
    except PyJWTError:
        raise InputError("this is no certificate: its first part is no header") from None
    if header.keys() != {"alg", "typ", "kid"} or header["alg"] != _ALGORITHM or header["typ"] != TYPE:
        raise InputError(f"this is no certificate of a card: its header is not of type {TYPE}")
    return str(header["kid"])


def _bytes(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return b""


def _unpadded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
