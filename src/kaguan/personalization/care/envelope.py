"""Files sealed for somebody else: CMS EnvelopedData (RFC 5652), AES-256 in CBC mode, the key under the recipient's RSA
key (PKCS #1 v1.5).

It keeps what is in it secret and proves nothing of who sealed it. `openssl cms -decrypt -inform DER` opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options
from cryptography.x509 import Certificate, ExtensionNotFound, KeyUsage, load_pem_x509_certificate

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.durable import whole_file, write_whole

SUFFIX = ".cms"
_LEAST_BITS = 2048
_OWNER_ONLY = 0o600  # the files are about people


class Recipient:
    """Whoever has the private key of a certificate.

    Raises:
        InputError: it is no certificate, or one of no RSA key.
        RuleBroken: it is not valid now, not for sealing, or its key is too short.
    """

    def __init__(self, pem: bytes, now: datetime) -> None:
        try:
            self._certificate = load_pem_x509_certificate(pem)
            key = self._certificate.public_key()
        except ValueError:
            raise InputError("this is no certificate in PEM form") from None
        if not isinstance(key, RSAPublicKey):
            raise InputError("files are sealed for RSA keys, and this certificate has another: ask for one with RSA")
        if key.key_size < _LEAST_BITS:
            raise RuleBroken(f"the recipient's key has {key.key_size} bits, {_LEAST_BITS} are the least")
        certificate = self._certificate
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise RuleBroken(f"the recipient's certificate was valid until {certificate.not_valid_after_utc:%Y-%m-%d}")
        if not _may_seal(certificate):
            raise RuleBroken("the recipient's certificate is not for sealing: its key usage has no key encipherment")

    @classmethod
    def of_file(cls, path: Path) -> Recipient:
        """The recipient whose certificate is in the file, valid today."""
        return cls(path.read_bytes(), datetime.now(UTC))

    def seal(self, data: bytes) -> bytes:
        """The data sealed, DER; about twice its size is held in memory."""
        envelope = PKCS7EnvelopeBuilder().set_data(data).add_recipient(self._certificate)
        return envelope.set_content_encryption_algorithm(AES256).encrypt(Encoding.DER, [PKCS7Options.Binary])


def write_for(recipient: Recipient | None, path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """What `write` writes is in `path`, in clear, or in `<path>.cms`, sealed; never in both, and sealed it has never
    been on the disk in clear. Says in which."""
    sealed = path.with_name(path.name + SUFFIX)
    if recipient is None:
        with whole_file(path, mode=_OWNER_ONLY) as file:
            write(file)
        sealed.unlink(missing_ok=True)
        return path
    memory = BytesIO()
    write(memory)
    write_whole(sealed, recipient.seal(memory.getvalue()), mode=_OWNER_ONLY)
    path.unlink(missing_ok=True)
    return sealed


def seal_file(path: Path, recipient: Recipient, *, keep: bool = False) -> Path:
    """`<path>.cms` holds the file sealed, and the file itself is gone unless it is to be kept.

    Raises:
        RuleBroken: there is such a sealed file.
        OSError: the disk fails; the file is there still.
    """
    sealed = path.with_name(path.name + SUFFIX)
    if sealed.exists():
        raise RuleBroken(f"{sealed} is there already: move it away, it may be another one")
    write_whole(sealed, recipient.seal(path.read_bytes()), mode=_OWNER_ONLY)
    if not keep:
        path.unlink()
    return sealed


def _may_seal(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(KeyUsage).value.key_encipherment
    except ExtensionNotFound:
        return True
