"""Certificates of the made-up town: a key that signs, the holder's portrait, and a verifier that we did not write."""

from __future__ import annotations

import json
import subprocess
from base64 import urlsafe_b64decode
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cms.town import Town, shown
from kaguan.cms.certifying.token import key_id
from kaguan.cms.rules.certificates import Purpose
from kaguan.cms.services.certificates.issuing import issue_certificate, signed_text
from kaguan.cms.services.certificates.keys import add_key
from kaguan.vault.secret import Secret

CARD = "990100001"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NEXT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = {key_id(one.public_key()): one.public_key() for one in (KEY, NEXT_KEY)}
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign_with(town: Town, key: Ed25519PrivateKey = KEY) -> str:
    """The key signs in the town from now on; its name."""
    return add_key(town.administrator, uuid4(), key=Secret(key.private_bytes_raw())).key_id


def issue(town: Town, purpose: Purpose = Purpose.PROOF, card_no: str = CARD) -> UUID:
    """A certificate of the card, for its holder at the counter."""
    request_id = uuid4()
    issue_certificate(town.teller, request_id, card_no=card_no, purpose=purpose, document=shown())
    return request_id


def issued_text(town: Town, purpose: Purpose = Purpose.PROOF) -> str:
    """Its text."""
    return signed_text(issue(town, purpose))


def openssl_finds_it_signed(text: str, folder) -> bool:
    """Whether OpenSSL finds the two parts before the last dot signed by the third."""
    message, _, signature = text.rpartition(".")
    for name, content in (
        ("message", message.encode()),
        ("signature", urlsafe_b64decode(signature + "==")),
        ("key.pem", PEM),
    ):
        (folder / name).write_bytes(content)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", folder / "key.pem", "-rawin"]
    files = ["-in", folder / "message", "-sigfile", folder / "signature"]
    return subprocess.run([*command, *files], check=False, capture_output=True).returncode == 0


def claims_in(text: str) -> dict[str, object]:
    """What anybody reads in it."""
    return json.loads(urlsafe_b64decode(text.split(".")[1] + "=="))
