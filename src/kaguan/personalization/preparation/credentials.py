"""Who belongs to a cluster: one certificate with its key, made when the cluster starts, and shown by every part of it.

The scheduler, its workers and their clients each show the certificate and trust no other, so nobody else connects, and
nobody reads the wire. What travels is sealed besides, under a key drawn from the same private key: neither the
scheduler nor a disk that a worker spills to holds a record or a data key. Who has the folder has all of it.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kaguan.apdu.errors import LinkError
from kaguan.durable import write_whole
from kaguan.personalization.preparation.sealing import KEY_SIZE, RecordKey
from kaguan.vault.secret import Secret

CERTIFICATE, PRIVATE_KEY = "engine.pem", "engine.key"
_NAME = "kaguan-engine"
_LIFE = timedelta(days=365)


class NoCredentials(LinkError):
    """The folder holds no certificate of an engine."""


def make_credentials(folder: Path) -> None:
    """The folder holds a new certificate and its key, for their owner alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # another machine's clock may be behind
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_whole(folder / PRIVATE_KEY, pem, mode=0o600)
    write_whole(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM), mode=0o600)


def remove_credentials(folder: Path) -> None:
    """Nothing is left of them."""
    for name in (PRIVATE_KEY, CERTIFICATE):
        (folder / name).unlink(missing_ok=True)


def require_credentials(folder: Path) -> None:
    """Nothing happens when they are there.

    Raises:
        NoCredentials: they are not, or cannot be read, or do not belong together.
    """
    try:
        ssl.create_default_context().load_cert_chain(folder / CERTIFICATE, folder / PRIVATE_KEY)
    except (OSError, ssl.SSLError):
        raise NoCredentials(
            f"{folder} holds no engine's certificate: start one with 'kaguan perso engine up', "
            "or copy the folder of the engine to be used here"
        ) from None


def transit_key(private_key: Path) -> RecordKey:
    """The key that seals what travels, drawn from the engine's private key."""
    raw = private_key.read_bytes()
    return RecordKey(Secret(HKDF(SHA256(), KEY_SIZE, salt=None, info=b"kaguan engine transit").derive(raw)))
