"""Electronic certificates: issued at a counter, checked, revoked; the keys by which anybody verifies them offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Path, Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.routes.portal import HolderSession, held
from kaguan.cms.api.shapes import CardNo, DocumentShown, Strict, Why, text
from kaguan.cms.certifying.token import LONGEST
from kaguan.cms.rules.certificates import Purpose
from kaguan.cms.services.certificates import checking, issuing, keys
from kaguan.cms.services.certificates.checking import CertificateCheck, CertificateView
from kaguan.cms.services.certificates.issuing import CertificateRef
from kaguan.cms.services.certificates.keys import KeyRef

router: Final = Router(tags=["certificates"])
KeyId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{43}$")]


class CertificateWanted(Strict):
    """Of which card, what for, and the document of whoever asks."""

    card_no: CardNo
    purpose: Purpose
    document: DocumentShown


class OwnCertificateWanted(Strict):
    """What for."""

    purpose: Purpose


class TextShown(Strict):
    """What somebody shows: the text in the code."""

    text: Annotated[str, text(LONGEST)]


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate, and its text: what the code holds."""

    ref: CertificateRef
    text: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies, as a JWK (RFC 8037)."""

    kid: str
    kty: str
    crv: str
    x: str
    alg: str
    use: str


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Every key whose signatures count now: a JWK set (RFC 7517)."""

    keys: list[PublicKey]


@router.post("/certificates", response=answers(IssuedCertificate), operation_id="issue_certificate")
def issue(request: HttpRequest, key: Key, seen: Seen, body: CertificateWanted) -> IssuedCertificate:
    """Issue an extract of a card to its holder; the key becomes the certificate's own id."""
    document = body.document.document()
    return _with_text(
        issuing.issue_certificate(
            *asks_for(request, key, seen), card_no=body.card_no, purpose=body.purpose, document=document
        )
    )


@router.post("/certificates/check", response=answers(CertificateCheck), operation_id="check_certificate")
def check(request: HttpRequest, body: TextShown) -> CertificateCheck:
    """Say whether a certificate that is shown is good now."""
    return checking.check_certificate(*asks_for(request, uuid4()), text=body.text)


@router.post(
    "/certificates/{certificate_id}/revocation", response=answers(CertificateRef), operation_id="revoke_certificate"
)
def revoke(request: HttpRequest, certificate_id: UUID, key: Key, body: Why) -> CertificateRef:
    """Leave a certificate good for nothing."""
    return issuing.revoke_certificate(*asks_for(request, key), certificate_id=certificate_id, why=body.why)


@router.get("/cards/{card_no}/certificates", response=answers(list[CertificateView]), operation_id="list_certificates")
def list_certificates(request: HttpRequest, card_no: CardNo) -> list[CertificateView]:
    """List a card's certificates, newest first, and how each stands."""
    return checking.look_at_certificates(*asks_for(request, uuid4()), card_no=card_no)


@router.get("/certificate-keys", auth=None, response=answers(TrustedKeys), operation_id="list_trusted_keys")
def trusted(request: HttpRequest) -> TrustedKeys:
    """List the public keys by which anybody verifies certificates; nobody has to sign in."""
    return TrustedKeys([PublicKey(**told) for told in keys.trusted_keys()])


@router.post("/certificate-keys/{key_id}/withdrawal", response=answers(KeyRef), operation_id="withdraw_certificate_key")
def withdraw(request: HttpRequest, key_id: KeyId, key: Key, body: Why) -> KeyRef:
    """Trust nothing any more that a key has signed."""
    return keys.withdraw_key(*asks_for(request, key), key_id=key_id, why=body.why)


@router.post(
    "/portal/cards/{card_no}/certificates", response=answers(IssuedCertificate), operation_id="issue_own_certificate"
)
def issue_own(
    request: HttpRequest, card_no: CardNo, session: HolderSession, key: Key, seen: Seen, body: OwnCertificateWanted
) -> IssuedCertificate:
    """Issue an extract of one's own card."""
    return _with_text(
        issuing.issue_own_certificate(
            *asks_for(request, key, seen), token=held(session), card_no=card_no, purpose=body.purpose
        )
    )


@router.post(
    "/portal/certificates/{certificate_id}/revocation",
    response=answers(CertificateRef),
    operation_id="revoke_own_certificate",
)
def revoke_own(
    request: HttpRequest, certificate_id: UUID, session: HolderSession, key: Key, body: Why
) -> CertificateRef:
    """Leave one's own certificate good for nothing."""
    return issuing.revoke_own_certificate(
        *asks_for(request, key), token=held(session), certificate_id=certificate_id, why=body.why
    )


def _with_text(ref: CertificateRef) -> IssuedCertificate:
    return IssuedCertificate(ref, issuing.signed_text(UUID(ref.certificate_id)))
