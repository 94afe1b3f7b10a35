"""Electronic certificates of a card (电子凭证): what an extract says, how long it is good, and what ends it.

Law. An extract says no more than its reader needs: name and numbers stand masked, the photo as a hash of its own.
Law. It has no life of its own: whether it is good is told by its card, so that no way of ending a card forgets it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from kaguan.apdu.errors import InputError
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.regions import RegionRules

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far a verifier's clock may be from the issuer's."""
_SHOWN_DIGITS: Final = 3  # of a card's number: all of it is an initial password of the portal


class Purpose(StrEnum):
    """What an extract is asked for: shown on a screen now, or handed in as a proof."""

    SHOWING = "show"
    PROOF = "proof"


class Finding(StrEnum):
    """What looking at an extract came to."""

    GOOD = "good"
    NOT_GENUINE = "not genuine"
    KEY_WITHDRAWN = "key withdrawn"
    NOT_YET = "not good yet"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CARD_ENDED = "card lost or ended"
    SUSPENDED = "card out of use for the time being"
    NOT_AS_BOOKS = "not as the books say"


@dataclass(frozen=True, slots=True)
class Extract:
    """What is signed: whose card it is, masked; moments are in whole seconds.

    `photo` is `photo_hash` of the portrait on the books, empty without one.
    """

    certificate_id: UUID
    purpose: Purpose
    region: str
    name: str
    cert_type: str
    cert_no: str
    card_no: str
    card_valid_until: date
    photo: str
    issued_at: datetime
    expires_at: datetime

    def __repr__(self) -> str:
        """Show its number alone."""
        return f"Extract({self.certificate_id})"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose card it is, as the books have it, unmasked."""

    region: str
    name: str
    cert_type: str
    cert_no: str
    card_no: str
    card_valid_until: date
    photo: bytes

    def __repr__(self) -> str:
        """Show nothing personal."""
        return f"Bearer({self.region})"


@dataclass(frozen=True, slots=True)
class Since:
    """What has happened since an extract was issued."""

    revoked: bool
    key_withdrawn: bool
    lost_or_ended: bool
    application: Application
    agrees: bool


def extract(
    bearer: Bearer, certificate_id: UUID, purpose: Purpose, *, issued_at: datetime, expires_at: datetime
) -> Extract:
    """Return the extract of the card: its minimum, masked."""
    return Extract(
        certificate_id,
        purpose,
        bearer.region,
        mask_name(bearer.name),
        bearer.cert_type,
        mask_number(bearer.cert_no),
        mask_card_no(bearer.card_no),
        bearer.card_valid_until,
        photo_hash(certificate_id, bearer.photo),
        issued_at,
        expires_at,
    )


def mask_card_no(card_no: str) -> str:
    """Return the number with its last three characters left."""
    return "*" * (len(card_no) - _SHOWN_DIGITS) + card_no[-_SHOWN_DIGITS:]


def photo_hash(certificate_id: UUID, image: bytes) -> str:
    """Return SHA-256, in hex, over the certificate's 16 bytes and the image: whoever has both can compare them, and two
    extracts of one person have nothing in common. Empty without an image."""
    return hashlib.sha256(certificate_id.bytes + image).hexdigest() if image else ""


def expiry(purpose: Purpose, rules: RegionRules, *, issued_at: datetime, card_ends_at: datetime) -> datetime:
    """Return until when it is good: as long as the region says, and no longer than the card."""
    if purpose is Purpose.SHOWING:
        span = timedelta(minutes=rules.certificate_show_minutes)
    else:
        span = timedelta(days=rules.certificate_proof_days)
    return min(issued_at + span, card_ends_at)


def judge_time(shown: Extract, at: datetime, *, clocks_differ: timedelta = CLOCKS_DIFFER) -> Finding:
    """Return whether it is good at that moment, as far as it says itself: good, not yet, or expired."""
    if at + clocks_differ < shown.issued_at:
        return Finding.NOT_YET
    return Finding.GOOD if at - clocks_differ < shown.expires_at else Finding.EXPIRED


def judge(shown: Extract, since: Since, at: datetime) -> Finding:
    """Return whether it is good at that moment by everything that the books know; what lasts is told first."""
    if since.key_withdrawn:
        return Finding.KEY_WITHDRAWN
    if since.lost_or_ended:
        return Finding.CARD_ENDED
    if since.revoked:
        return Finding.REVOKED
    by_time = judge_time(shown, at, clocks_differ=timedelta(0))
    if by_time is not Finding.GOOD:
        return by_time
    if since.application is not Application.NORMAL:
        return Finding.SUSPENDED
    return Finding.GOOD if since.agrees else Finding.NOT_AS_BOOKS


def claims_of(shown: Extract) -> dict[str, object]:
    """Return the claims: the registered names of RFC 7519, and ours; `read_claims` is the inverse."""
    return {
        "jti": str(shown.certificate_id),
        "iss": shown.region,
        "iat": int(shown.issued_at.timestamp()),
        "exp": int(shown.expires_at.timestamp()),
        "purpose": shown.purpose.value,
        "name": shown.name,
        "cert_type": shown.cert_type,
        "cert_no": shown.cert_no,
        "card_no": shown.card_no,
        "card_until": shown.card_valid_until.isoformat(),
        "photo": shown.photo,
    }


def read_claims(payload: bytes) -> Extract:
    """Return what the signed bytes say. Refuses with InputError whatever `claims_of` would not have written."""
    try:
        claims = json.loads(payload.decode("utf-8"))
        shown = _extract_of(claims)
        if claims_of(shown) != claims:
            raise ValueError("not as it is written")
    except (ValueError, KeyError, TypeError, OverflowError):
        raise InputError("what is signed is no extract of a card") from None
    return shown


def _extract_of(claims: Mapping[str, Any]) -> Extract:
    return Extract(
        UUID(claims["jti"]),
        Purpose(claims["purpose"]),
        str(claims["iss"]),
        str(claims["name"]),
        str(claims["cert_type"]),
        str(claims["cert_no"]),
        str(claims["card_no"]),
        date.fromisoformat(claims["card_until"]),
        str(claims["photo"]),
        datetime.fromtimestamp(int(claims["iat"]), UTC),
        datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
