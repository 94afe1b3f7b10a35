"""Issue an extract of a card to its holder, at a counter or at the portal, and revoke one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.utils import timezone

from kaguan.cms.canonical import canonical
from kaguan.cms.certifying.token import signed
from kaguan.cms.models import Card, Certificate, HolderPhoto
from kaguan.cms.rules.certificates import Bearer, Extract, Purpose, claims_of, expiry, extract, read_claims
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import GUARDS, Guard
from kaguan.cms.rules.lifecycle import Use, check_use
from kaguan.cms.rules.refusals import AlreadyResolved, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.holders import signed_in_holder
from kaguan.cms.services.case import Case
from kaguan.cms.services.certificates.keys import private_key, signing_key
from kaguan.cms.services.people.own_cards import own_card
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret


@dataclass(frozen=True, slots=True)
class CertificateRef:
    """A certificate by its id, of which card, what for, and until when (ISO 8601)."""

    certificate_id: str
    card_no: str
    purpose: str
    expires_at: str


@use_case("issue certificate", Right.CERTIFY, CertificateRef)
def issue_certificate(case: Case, /, *, card_no: str, purpose: Purpose, document: Document) -> CertificateRef:
    """Leave an extract of the card issued to its holder, or to a minor's guardian; `signed_text` gives it.

    Refuses, in this order: no such card, own card, card state, expired, document, guardian, no key.
    """
    card = case.card(card_no)
    circumstances = case.circumstances(card, document=document)
    check_use(card.application, Use.CERTIFY)
    for guard in (Guard.NOT_EXPIRED, Guard.ORIGINAL_DOCUMENT, Guard.GUARDIAN_PRESENT):
        objection = GUARDS[guard](circumstances)
        if objection is not None:
            raise NotEligible(f"certifying refused: {objection}")
    return _issue(case, card, purpose)


@use_case("issue own certificate", Right.SERVE_ONLINE, CertificateRef)
def issue_own_certificate(case: Case, /, *, token: Secret, card_no: str, purpose: Purpose) -> CertificateRef:
    """Leave an extract of the signed-in holder's own card issued.

    Refuses, in this order: as `signed_in_holder`, no such card of this holder, own card, card state, expired, no key.
    """
    card = own_card(case, token, card_no)
    check_use(card.application, Use.CERTIFY)
    objection = GUARDS[Guard.NOT_EXPIRED](case.circumstances(card))
    if objection is not None:
        raise NotEligible(f"certifying refused: {objection}")
    return _issue(case, card, purpose)


@use_case("revoke certificate", Right.CERTIFY, CertificateRef)
def revoke_certificate(case: Case, /, *, certificate_id: UUID, why: str) -> CertificateRef:
    """Leave the certificate good for nothing.

    Refuses, in this order: no such certificate, own card, no reason, revoked before.
    """
    row = Certificate.objects.filter(pk=certificate_id, card__region__in=case.regions).first()
    return _revoke(case, row, certificate_id, why)


@use_case("revoke own certificate", Right.SERVE_ONLINE, CertificateRef)
def revoke_own_certificate(case: Case, /, *, token: Secret, certificate_id: UUID, why: str) -> CertificateRef:
    """Leave the signed-in holder's certificate good for nothing. Refuses as `signed_in_holder`, then as
    `revoke_certificate`.
    """
    holder = signed_in_holder(case, token)
    row = Certificate.objects.filter(pk=certificate_id, card__holder=holder).first()
    return _revoke(case, row, certificate_id, why)


def signed_text(certificate_id: UUID) -> str:
    """Return the text of a certificate that was issued, the same every time; ask `issue_certificate` first.

    Refuses with NotFound when there is none, or its holder's data was purged.
    """
    row = _kept(certificate_id)
    return signed(read_claims(row.content.encode()), private_key(row.key))


def issued_extract(certificate_id: UUID) -> Extract:
    """Return what the certificate says. Refuses as `signed_text`."""
    return read_claims(_kept(certificate_id).content.encode())


def bearer_of(card: Card) -> Bearer:
    """Return whose card it is, as the books have it now."""
    holder = card.holder
    photo = HolderPhoto.objects.filter(holder=holder).order_by("pk").last()
    return Bearer(
        card.region.code,
        holder.name,
        holder.cert_type,
        holder.cert_no,
        card.card_no,
        card.valid_until,
        bytes(photo.image) if photo else b"",
    )


def told(row: Certificate) -> CertificateRef:
    """Return the certificate by its id."""
    until = row.expires_at.isoformat(timespec="seconds")
    return CertificateRef(str(row.pk), row.card.card_no, row.purpose, until)


def _kept(certificate_id: UUID) -> Certificate:
    row = Certificate.objects.select_related("key").filter(pk=certificate_id).exclude(content="").first()
    if row is None:
        raise NotFound(f"no certificate {certificate_id} is on the books")
    return row


def _issue(case: Case, card: Card, purpose: Purpose) -> CertificateRef:
    key = signing_key(card.region)
    issued_at = case.at.replace(microsecond=0)
    expires_at = expiry(purpose, card.region.rules(), issued_at=issued_at, card_ends_at=_end_of(card))
    certificate_id = case.new_id(Certificate)
    shown = extract(bearer_of(card), certificate_id, purpose, issued_at=issued_at, expires_at=expires_at)
    row = Certificate.objects.create(
        certificate_id=certificate_id,
        card=card,
        key=key,
        purpose=purpose,
        content=canonical(claims_of(shown)).decode(),
        issued_at=issued_at,
        expires_at=expires_at,
        issued_by=case.operator.code,
        institution=case.institution.code,
    )
    case.note(certificate=str(row.pk), purpose=purpose.value)
    return told(row)


def _end_of(card: Card) -> datetime:
    last_day = min(card.valid_until, date.max - timedelta(days=1))
    return datetime.combine(last_day + timedelta(days=1), time(), timezone.get_current_timezone())


def _revoke(case: Case, row: Certificate | None, certificate_id: UUID, why: str) -> CertificateRef:
    if row is None:
        raise NotFound(f"no certificate {certificate_id} is on the books")
    case.card(row.card.card_no)
    if not why.strip():
        raise NotEligible("say why the certificate is revoked")
    ended = Certificate.objects.filter(pk=row.pk, revoked_at=None)
    if not ended.update(revoked_at=case.at, revoked_by=case.operator.code, why=why[:200]):
        raise AlreadyResolved(f"certificate {certificate_id} was revoked before")
    case.note(certificate=str(certificate_id), why=why)
    return told(row)
