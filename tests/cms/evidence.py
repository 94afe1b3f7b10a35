"""What a service centre of the made-up town brings: a form, sealed copies, and devices that sign what they find."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cms.town import CERT_NO, NAME, Town
from kaguan.cms.rules.activation import ApplicationForm, SealedCopy, SignedVerdict
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.activation.evidence import register_verifier
from kaguan.cms.services.case import Actor
from kaguan.cms.services.set_up import register_institution, register_operator
from kaguan.personalization.care.envelope import Recipient

FORM = ApplicationForm(NAME, CERT_NO, "6229999900000001")
PAPERS = ("application form", "identity document", "social security card", "bank card")
DEVICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGE_DEVICE = Ed25519PrivateKey.from_private_bytes(bytes(32))


@cache
def archive() -> Recipient:
    """Who may open the copies."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "archive")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Recipient(certificate.public_bytes(Encoding.PEM), now)


@cache
def copies() -> tuple[SealedCopy, ...]:
    """A sealed copy of each paper."""
    return tuple(
        SealedCopy(paper, hashlib.sha256(paper.encode()).hexdigest(), archive().seal(paper.encode()))
        for paper in PAPERS
    )


def signed(check: Check, card_no: str, score: int = 900, key: Ed25519PrivateKey = DEVICE, **change) -> SignedVerdict:
    """What the device says now of the person with that card."""
    verdict = SignedVerdict("DEVICE-1", str(uuid4()), check, card_no, score, datetime.now(UTC), "")
    verdict = replace(verdict, **change)
    return replace(verdict, signature=key.sign(verdict.message()).hex())


def verdicts(card_no: str) -> list[SignedVerdict]:
    """A passing one of each kind."""
    return [signed(check, card_no) for check in Check]


def centre(town: Town, *, with_device: bool = True) -> Actor:
    """A clerk at the town's card service centre, which has a device."""
    site = {"code": "CENTRE-1", "name": "centre", "kind": InstitutionKind.CENTRE}
    register_institution(town.administrator, uuid4(), **site)
    employ(town, "centre", "CENTRE-1", Role.CENTRE_CLERK)
    if with_device:
        public = DEVICE.public_key().public_bytes_raw().hex()
        register_verifier(
            town.administrator, uuid4(), code="DEVICE-1", checks=list(Check), public_key=public, least_score=800
        )
    return Actor("centre", "CENTRE-1")


def hospital(town: Town) -> Actor:
    """A clerk at the town's designated hospital."""
    site = {"code": "HOSPITAL-1", "name": "hospital", "kind": InstitutionKind.HOSPITAL, "designated": True}
    register_institution(town.administrator, uuid4(), **site)
    employ(town, "registrar", "HOSPITAL-1", Role.CASHIER)
    return Actor("registrar", "HOSPITAL-1")


def employ(town: Town, code: str, institution: str, role: Role) -> None:
    """Leave somebody working there."""
    register_operator(town.administrator, uuid4(), code=code, name=code, institution=institution, roles=[role])
