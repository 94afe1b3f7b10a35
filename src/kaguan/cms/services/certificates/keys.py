"""The keys that sign a region's certificates: one signs, those before it stay trusted until they are withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db.models import QuerySet

from kaguan.cms.certifying.token import jwk_of, key_id
from kaguan.cms.models import CertificateKey
from kaguan.cms.models.places import Region
from kaguan.cms.rules.refusals import AlreadyResolved, DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.sealing import seal, unseal
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret

SEALED_AS: Final = "certificate key"


@dataclass(frozen=True, slots=True)
class KeyRef:
    """A key by its thumbprint, and what it is good for: signing, trusted, or withdrawn."""

    key_id: str
    region: str
    standing: str


@use_case("add certificate key", Right.SET_UP, KeyRef)
def add_key(case: Case, /, *, key: Secret) -> KeyRef:
    """Leave the Ed25519 key (its 32 private bytes) signing in the actor's region; the one before is retired by it.

    Refuses, in this order: no such key, known already, no fixed secret key to seal it under (InputError).
    """
    try:
        public = Ed25519PrivateKey.from_private_bytes(key.reveal()).public_key()
    except ValueError:
        raise NotEligible("a certificate key is the 32 private bytes of Ed25519") from None
    name, region = key_id(public), case.institution.region
    if CertificateKey.objects.filter(pk=name).exists():
        raise DuplicateRequest(f"key {name} is known already: make a new one")
    sealed = seal(key, SEALED_AS, name)
    _signing(region).update(retired_at=case.at)
    row = CertificateKey.objects.create(
        key_id=name,
        region=region,
        public_key=public.public_bytes_raw().hex(),
        sealed=sealed,
        added_by=case.operator.code,
        added_at=case.at,
    )
    case.note(certificate_key=name)
    return _told(row)


@use_case("withdraw certificate key", Right.SET_UP, KeyRef)
def withdraw_key(case: Case, /, *, key_id: str, why: str) -> KeyRef:
    """Leave nothing good that the key signed, because somebody else may have signed with it.

    Refuses, in this order: no such key of the actor's region, no reason, withdrawn before.
    """
    row = CertificateKey.objects.select_for_update().filter(pk=key_id, region=case.institution.region).first()
    if row is None:
        raise NotFound(f"no certificate key {key_id} is on the books")
    if not why.strip():
        raise NotEligible("say why the key is not to be trusted any more")
    if row.withdrawn_at is not None:
        raise AlreadyResolved(f"certificate key {key_id} was withdrawn before")
    row.withdrawn_at = case.at
    row.save(update_fields=["withdrawn_at"])
    case.note(certificate_key=key_id, why=why)
    return _told(row)


def signing_key(region: Region) -> CertificateKey:
    """Return the key that signs in the region now; refuse with NotEligible when there is none."""
    row = _signing(region).first()
    if row is None:
        raise NotEligible(f"region {region.code} has no certificate key: its administrator adds one first")
    return row


def private_key(row: CertificateKey) -> Ed25519PrivateKey:
    """Return the key that signs; refuse with InputError when it was sealed under another secret key."""
    return Ed25519PrivateKey.from_private_bytes(unseal(row.sealed, SEALED_AS, row.pk).reveal())


def public_key(row: CertificateKey) -> Ed25519PublicKey:
    """Return the key that checks."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(row.public_key))


def trusted_keys() -> list[Mapping[str, str]]:
    """Return every key whose signatures count, of every region, as JWKs with their names: what verifiers need."""
    rows = CertificateKey.objects.filter(withdrawn_at=None).order_by("added_at", "pk")
    return [{"kid": row.pk, **jwk_of(public_key(row))} for row in rows]


def _signing(region: Region) -> QuerySet[CertificateKey]:
    return CertificateKey.objects.filter(region=region, retired_at=None, withdrawn_at=None)


def _told(row: CertificateKey) -> KeyRef:
    standing = "withdrawn" if row.withdrawn_at else "trusted" if row.retired_at else "signing"
    return KeyRef(row.pk, row.region.code, standing)
