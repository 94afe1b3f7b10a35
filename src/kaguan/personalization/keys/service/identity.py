"""Who is who between stations and the key service: certificates of the bureau's own authority.

An identity is one file: private key, certificate and the authority's certificate, as PEM. One that serves is no
station's, nor the other way round. Another authority's files do as well, put together the same way.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kaguan.apdu.errors import InputError, VaultError
from kaguan.durable import write_whole
from kaguan.personalization.keys.secretfile import read_secret

AUTHORITY = "authority.pem"
AUTHORITY_DAYS = 3650
_OWNER_ONLY, _OWNER_FOLDER = 0o600, 0o700
_LEEWAY = timedelta(minutes=5)
MOST_NAME = 64


class IdentityExists(VaultError):
    """There is such an identity, and identities are never replaced."""


def make_identity(folder: Path, names: list[str], *, serves: bool, days: int) -> Path:
    """The identity file of a service, or of a station; the first time, the authority too.

    `names` are a station's name, or the names and addresses under which the service is reached.
    Raises:
        IdentityExists: the file is there already.
        VaultError: a name that cannot be one.
        InputError: the authority's file is none.
    """
    for name in names:
        if not 0 < len(name) <= MOST_NAME or not name.isascii() or set(name) - _NAMEABLE:
            raise VaultError(f"{name!r} is no name for a certificate: letters, digits, '.', '-', '_' and ':'")
    folder.mkdir(parents=True, exist_ok=True, mode=_OWNER_FOLDER)
    file = folder / f"{names[0].replace(':', '_')}.pem"
    if file.exists() or file.name == AUTHORITY:
        raise IdentityExists(f"{file} exists already: choose another name, or take the file away")
    key, authority = _authority(folder / AUTHORITY)
    own = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if serves else ExtendedKeyUsageOID.CLIENT_AUTH
    certificate = (
        _begun(names[0], authority.subject, own, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    write_whole(file, _key_pem(own) + _pem(certificate) + _pem(authority), mode=_OWNER_ONLY)
    return file


def context_of(identity: Path, *, serves: bool) -> ssl.SSLContext:
    """TLS 1.3 as this identity, with those alone whom the same authority knows.

    Raises:
        FileTooOpen: others may read the file.
        InputError: it is no identity.
        OSError: it cannot be read.
    """
    text = read_secret(identity, longest=1 << 16).reveal()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serves else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    if serves:
        context.num_tickets = 0
    try:
        context.load_cert_chain(identity)
        authorities = [found for found in x509.load_pem_x509_certificates(text) if _is_authority(found)]
        context.load_verify_locations(cadata="".join(_pem(found).decode() for found in authorities))
    except (ValueError, ssl.SSLError):
        raise InputError(
            f"{identity} is no identity: it should hold a private key, its certificate and its authority's, as PEM"
        ) from None
    return context


_NAMEABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:")


def _authority(file: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The bureau's authority, made when there is none yet."""
    if not file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"Kaguan key service {os.urandom(4).hex().upper()}"
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _begun(name, subject, key, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_signs_certificates(), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        write_whole(file, _key_pem(key) + _pem(certificate), mode=_OWNER_ONLY)
        return key, certificate
    text = read_secret(file).reveal()
    try:
        found, (certificate,) = load_pem_private_key(text, None), x509.load_pem_x509_certificates(text)
    except ValueError:
        raise InputError(f"{file} is no authority that 'kaguan keys service-cert' has made") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise InputError(f"{file} is no authority that 'kaguan keys service-cert' has made")
    return found, certificate


def _begun(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LEEWAY)
        .not_valid_after(now + timedelta(days=days))
    )


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
