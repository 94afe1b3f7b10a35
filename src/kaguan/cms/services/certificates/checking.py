"""Look at an extract that somebody shows: was it signed here, and is its card in use now?"""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.apdu.errors import InputError
from kaguan.cms.canonical import canonical
from kaguan.cms.certifying.token import opened, signer_of
from kaguan.cms.models import CardEvent, Certificate, CertificateKey
from kaguan.cms.rules.certificates import Extract, Finding, Since, claims_of, extract, judge, read_claims
from kaguan.cms.rules.lifecycle import APPLICATION, LOST_OR_ENDED, Application
from kaguan.cms.rules.refusals import NotCertified
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.certificates.issuing import bearer_of
from kaguan.cms.services.certificates.keys import public_key
from kaguan.cms.services.use_case import question


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """What looking came to, and what the extract says, as it was signed: nothing when it is not genuine."""

    finding: Finding
    certificate_id: str = ""
    purpose: str = ""
    region: str = ""
    name: str = ""
    cert_type: str = ""
    cert_no: str = ""
    card_no: str = ""
    card_valid_until: str = ""
    photo: str = ""
    issued_at: str = ""
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate of a card, and how it stands now."""

    certificate_id: str
    purpose: str
    issued_at: str
    expires_at: str
    finding: Finding


@question("check certificate", Right.LOOK, noted=True)
def check_certificate(case: Case, /, *, text: str) -> CertificateCheck:
    """Return whether the text is good now, by its signature, its time and its card; nothing is refused.

    Whoever is shown a text may ask, from any region: it says where it was issued. Every look is noted.
    """
    try:
        row = CertificateKey.objects.filter(pk=signer_of(text)).first()
        shown = opened(text, {row.pk: public_key(row)} if row else {})
    except (InputError, NotCertified):
        return CertificateCheck(Finding.NOT_GENUINE)
    case.note(certificate=str(shown.certificate_id))
    issued = Certificate.objects.select_related("card__holder", "key").filter(pk=shown.certificate_id).first()
    if issued is None or issued.content != canonical(claims_of(shown)).decode():
        # Well signed and never issued: somebody else has the key, or the holder's data was purged.
        return CertificateCheck(Finding.NOT_GENUINE)
    finding = judge(shown, _since(issued, shown), case.at)
    case.note(finding=finding.value)
    return CertificateCheck(finding, *_said(shown))


@question("look at certificates", Right.LOOK)
def look_at_certificates(case: Case, /, *, card_no: str) -> list[CertificateView]:
    """Return the card's certificates, newest first. Refuses in this order: no such card, own card."""
    card = case.card(card_no)
    rows = Certificate.objects.select_related("card__holder", "key").filter(card=card).exclude(content="")
    return [_view(case, row) for row in rows.order_by("-issued_at", "pk")]


def _view(case: Case, row: Certificate) -> CertificateView:
    shown = read_claims(row.content.encode())
    issued, ends = (moment.isoformat() for moment in (shown.issued_at, shown.expires_at))
    return CertificateView(str(row.pk), row.purpose, issued, ends, judge(shown, _since(row, shown), case.at))


def _since(row: Certificate, shown: Extract) -> Since:
    since = CardEvent.objects.filter(card=row.card, axis=APPLICATION.name, at__gte=row.issued_at)
    now = extract(bearer_of(row.card), row.pk, shown.purpose, issued_at=shown.issued_at, expires_at=shown.expires_at)
    return Since(
        revoked=row.revoked_at is not None,
        key_withdrawn=row.key.withdrawn_at is not None,
        lost_or_ended=since.filter(to_state__in=LOST_OR_ENDED).exists() or row.card.application in LOST_OR_ENDED,
        application=Application(row.card.application),
        agrees=now == shown,
    )


def _said(shown: Extract) -> tuple[str, ...]:
    return (
        str(shown.certificate_id),
        shown.purpose.value,
        shown.region,
        shown.name,
        shown.cert_type,
        shown.cert_no,
        shown.card_no,
        shown.card_valid_until.isoformat(),
        shown.photo,
        shown.issued_at.isoformat(),
        shown.expires_at.isoformat(),
    )
