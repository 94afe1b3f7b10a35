"""Who sent an order: a signature or a MAC that came beside it, judged by keys that the bureau trusts.

Law 1. What came beside an order is judged, or the order is refused: no proof is passed over.
Law 2. The proof is of the file's bytes as they are; nothing of the zip is opened before.
Law 3. MACs are compared in constant time, and no key is in a text.

The proofs are what the openssl program makes: `ORDER.zip.sig` by `openssl dgst -sha256 -sign` (RSA, ECDSA) or
`openssl pkeyutl -sign -rawin` (Ed25519), `ORDER.zip.mac` by `openssl dgst -sha256 -mac HMAC` or `openssl mac`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import NameOID

from kaguan.apdu.errors import InputError, OrderError
from kaguan.vault.secret import Secret

LEAST_RSA_BITS = 2048
LEAST_MAC_KEY_BYTES = 16
GREATEST_SIGNED_WHOLE = 256 << 20
"""Bytes; Ed25519 signs a file and not its digest, so that the file must be in memory to judge it."""

_LONGEST_PROOF = 4096
_BLOCK = 1 << 20
_MAC = re.compile(rb"(?:[^\r\n]*= ?)?([0-9A-Fa-f]{64})(?: [ *][^\r\n]*)?\s*")
_FINGERPRINT_DIGITS = 16

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class NotAuthentic(OrderError):
    """It is not proved that the order is from somebody whom the bureau trusts; nothing of it was read."""


class Proof(StrEnum):
    """What may come beside an order to say whose it is; the value ends the file's name."""

    SIGNATURE = "sig"
    MAC = "mac"

    def beside(self, order: Path) -> Path:
        """Where the proof of this order is looked for."""
        return order.with_name(f"{order.name}.{self}")


class Signer(NamedTuple):
    """Somebody whose signature the bureau trusts, between these moments when a certificate says so."""

    name: str
    key: PublicKey
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Trust:
    """By whose keys orders are judged, and what an order cannot do without."""

    signers: tuple[Signer, ...] = ()
    mac_key: Secret | None = None
    required: frozenset[Proof] = frozenset()


class Authenticity(NamedTuple):
    """What was proved of the file with this SHA-256: who signed it, and whether its MAC is right."""

    digest: str
    signer: str = ""
    mac: bool = False

    def __str__(self) -> str:
        """One line for the operator."""
        proved = [f"signed by {self.signer}"] if self.signer else []
        proved += ["its MAC is right"] if self.mac else []
        return ", ".join(proved) or "nothing proves who sent it"


def authenticate(path: Path, trust: Trust, now: datetime | None = None) -> Authenticity:
    """What the proofs beside the order prove. Whoever reads the order afterwards compares its digest.

    Raises:
        NotAuthentic: a proof is wrong, by nobody whom the bureau trusts, without a key to judge it, or missing.
        OSError: the order cannot be read.
    """
    signature, mac = (_proof(path, proof, trust) for proof in Proof)
    sha256 = hashlib.sha256()
    keyed = hmac.new(trust.mac_key.reveal(), digestmod="sha256") if mac is not None and trust.mac_key else None
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            if keyed:
                keyed.update(block)
    if mac is not None and keyed and not hmac.compare_digest(keyed.digest(), _mac_bytes(path, mac)):
        raise NotAuthentic("its MAC is wrong: the order was changed, or made with another key", file=path.name)
    signer = ""
    if signature is not None:
        signer = _signer(path, sha256.digest(), signature, trust, now or datetime.now(UTC))
    return Authenticity(sha256.hexdigest(), signer, mac is not None)


def _proof(order: Path, proof: Proof, trust: Trust) -> bytes | None:
    """The proof beside the order, None when there is none and none is needed."""
    place = proof.beside(order)
    word = "signature" if proof is Proof.SIGNATURE else "MAC"
    try:
        with place.open("rb") as file:
            raw = file.read(_LONGEST_PROOF + 1)
    except FileNotFoundError:
        if proof in trust.required:
            raise NotAuthentic(f"it has no {word}: ask its sender for {place.name}", file=order.name) from None
        return None
    if not (trust.signers if proof is Proof.SIGNATURE else trust.mac_key):
        raise NotAuthentic(f"{place.name} came with it, and no key was named that could judge it", file=order.name)
    if not raw or len(raw) > _LONGEST_PROOF:
        raise NotAuthentic(f"{place.name} is empty, or too long for a {word}", file=order.name)
    return raw


def _mac_bytes(order: Path, raw: bytes) -> bytes:
    match = _MAC.fullmatch(raw)
    if match is None:
        raise NotAuthentic("its MAC is not 64 hexadecimal digits as openssl prints them", file=order.name)
    return bytes.fromhex(match[1].decode("ascii"))


def _signer(order: Path, digest: bytes, signature: bytes, trust: Trust, now: datetime) -> str:
    """The name of who made the signature."""
    for signer in trust.signers:
        if _verifies(order, digest, signature, signer.key):
            if (signer.since and now < signer.since) or (signer.until and now > signer.until):
                raise NotAuthentic(f"{signer.name} signed it, whose certificate is not valid today", file=order.name)
            return signer.name
    count = len(trust.signers)
    raise NotAuthentic(
        f"its signature is by none of the {count} trusted keys, or the order was changed after it was signed",
        file=order.name,
    )


def _verifies(order: Path, digest: bytes, signature: bytes, key: PublicKey) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, _whole(order, digest))
        elif isinstance(key, RSAPublicKey):
            key.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
        else:
            key.verify(signature, digest, ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True


def _whole(order: Path, digest: bytes) -> bytes:
    """All of the order's bytes, the same that have this digest."""
    with order.open("rb") as file:
        raw = file.read(GREATEST_SIGNED_WHOLE + 1)
    if len(raw) > GREATEST_SIGNED_WHOLE:
        raise NotAuthentic(
            f"it has more than {GREATEST_SIGNED_WHOLE >> 20} MiB, too much for Ed25519: ask for RSA or ECDSA",
            file=order.name,
        )
    if hashlib.sha256(raw).digest() != digest:
        raise NotAuthentic("it was changed while it was read: let its sender finish, then try again", file=order.name)
    return raw


def read_signer(path: Path) -> Signer:
    """The signer whose public key, or certificate, is in this PEM file.

    The bureau trusts exactly this key; who issued the certificate is not asked.

    Raises:
        InputError: it holds neither, or a key that is too weak or of another kind.
        OSError: it cannot be read.
    """
    raw = path.read_bytes()
    try:
        if b"-----BEGIN CERTIFICATE-----" not in raw:
            key = _trusted(load_pem_public_key(raw), path)
            return Signer(f"{path.stem} ({_fingerprint(key)})", key)
        certificate = x509.load_pem_x509_certificate(raw)
        key = _trusted(certificate.public_key(), path)
    except ValueError:
        raise InputError(f"{path} holds no public key and no certificate in PEM form") from None
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = ascii(str(names[0].value)) if names else path.stem
    valid = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Signer(f"{name} ({_fingerprint(key)})", key, *valid)


def _trusted(key: object, path: Path) -> PublicKey:
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        raise InputError(f"{path} holds a key of another kind than RSA, ECDSA or Ed25519")
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise InputError(f"{path} holds an RSA key of {key.key_size} bits, less than {LEAST_RSA_BITS}")
    return key


def _fingerprint(key: PublicKey) -> str:
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()[:_FINGERPRINT_DIGITS]


def mac_key_of(digits: Secret) -> Secret:
    """The key that is written as these hexadecimal digits.

    Raises:
        InputError: it is none, or shorter than a key is.
    """
    try:
        key = bytes.fromhex(digits.reveal().decode("ascii"))
    except ValueError:
        raise InputError("a MAC key is written in hexadecimal digits") from None
    if len(key) < LEAST_MAC_KEY_BYTES:
        raise InputError(f"a MAC key has {LEAST_MAC_KEY_BYTES} bytes or more")
    return Secret(key)
