"""The public keys that somebody trusts who verifies offline: PEM files, and JWK sets as the API gives them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kaguan.apdu.errors import InputError
from kaguan.cms.certifying.token import key_id
from kaguan.cms.signing import read_public_key


def read_trusted(files: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Return every key of the files by the name that follows from it; what a set calls them is not believed.

    Refuses with InputError a file that holds neither a public key of Ed25519 nor a set of such.
    """
    return {key_id(key): key for file in files for key in _keys(file)}


def _keys(file: Path) -> Iterator[Ed25519PublicKey]:
    content = file.read_bytes()
    if not content.lstrip().startswith(b"{"):
        yield read_public_key(file)
        return
    try:
        for jwk in json.loads(content)["keys"]:
            if (jwk["kty"], jwk["crv"]) != ("OKP", "Ed25519"):
                raise ValueError("another kind of key")
            yield Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(jwk["x"] + "="))
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} is no set of Ed25519 keys as JSON") from None
