"""The ways into use besides an outlet of the card's bank, each shown with a card and a holder of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from kaguan.apdu.errors import RuleBroken
from kaguan.apdu.link import Link
from kaguan.cms.models import Card
from kaguan.cms.outlet import Outlet
from kaguan.cms.rules.activation import ApplicationForm, SealedCopy, SignedVerdict, Visit
from kaguan.cms.rules.applying import Agent, AgentRelation
from kaguan.cms.rules.choices import Check
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.personal import Relation
from kaguan.cms.services import issue
from kaguan.cms.services.access.holders import sign_in_holder
from kaguan.cms.services.activation.evidence import register_verifier
from kaguan.cms.services.activation.old_card import show_old_card
from kaguan.cms.services.activation.online import activate_online
from kaguan.cms.services.people.guardians import register_guardian
from kaguan.demo.screen import fact, refused
from kaguan.demo.town import Town
from kaguan.personalization.care.envelope import Recipient
from kaguan.vault.secret import Secret

_DEVICE: Final = "CAMERA-1"
_COPIES: Final = ("application form", "identity document", "social security card", "bank card")
_GUARDIAN: Final = Document("01", "99012119800101001X", original=True)
_GUARDIAN_NAME: Final = "测试人丙"


@dataclass(frozen=True)
class Newcomer:
    """A holder whose card waits to come into use, and their card in the reader of a counter of `at`'s."""

    town: Town
    card: Card
    link: Link
    at: Callable[[Link], Outlet]

    @property
    def document(self) -> Document:
        """The holder's own original identity card."""
        return Document(self.card.holder.cert_type, self.card.holder.cert_no, original=True)


def at_centre(new: Newcomer) -> None:
    """The card is in use by form, sealed copies, face and fingerprint; a device's signature is what counts."""
    device, archive = Ed25519PrivateKey.generate(), _archive()
    public_key = device.public_key().public_bytes_raw().hex()
    administrator, checks = new.town.administrator, list(Check)
    register_verifier(administrator, uuid4(), code=_DEVICE, checks=checks, public_key=public_key, least_score=800)
    form = ApplicationForm(new.card.holder.name, new.document.cert_no, new.card.bank_card_no)
    copies = [
        SealedCopy(name, hashlib.sha256(name.encode()).hexdigest(), archive.seal(name.encode())) for name in _COPIES
    ]
    verdicts = [_signed(device, check, new.card.card_no, 930) for check in Check]
    outlet, hand = new.at(new.link), new.document
    forged = [replace(verdicts[0], score=999), *verdicts[1:]]
    with refused("the service centre, a score changed by hand", RuleBroken):
        outlet.activate_at_centre(new.link, uuid4(), hand, form, copies, forged)
    outlet.activate_at_centre(new.link, uuid4(), hand, form, copies, verdicts)
    fact(
        f"{new.card.card_no} at the service centre: form, four sealed copies, face and fingerprint signed by {_DEVICE}"
    )


def by_visit(new: Newcomer) -> None:
    """The card is in use by the first registration at a hospital."""
    outlet = new.at(new.link)
    with refused("the hospital, an emergency", RuleBroken):
        outlet.register_visit(new.link, uuid4(), Visit.EMERGENCY, "M0001")
    outlet.register_visit(new.link, uuid4(), Visit.OUTPATIENT, "M0002")
    fact(f"{new.card.card_no} at the hospital: the first outpatient registration")


def by_old_card(new: Newcomer) -> None:
    """The card is in use at a pharmacy, after the same person's old medical card was read there."""
    outlet = new.at(new.link)
    with refused("the pharmacy, no old card shown", RuleBroken):
        outlet.activate_by_old_card(new.link, uuid4())
    old = {"old_card_no": "M20190001", "cert_type": new.document.cert_type, "cert_no": new.document.cert_no}
    show_old_card(outlet.actor, uuid4(), terminal_no=outlet.terminal.hex().upper(), **old)
    outlet.activate_by_old_card(new.link, uuid4())
    fact(f"{new.card.card_no} at the pharmacy: the old medical card first, then the new one")


def online(new: Newcomer) -> None:
    """The card is in use by its holder at the portal; the record on its chip is written when it is next in a reader."""
    portal, number = new.town.portal, new.card.card_no
    admitted = sign_in_holder(portal, new.document.cert_no, Secret(number.encode()), source="demo")
    activate_online(portal, uuid4(), token=admitted.token, card_no=number)
    new.at(new.link).write_owed_record(new.link, uuid4())
    fact(f"{number} at the portal: user name ID number, initial password card number; its chip is told later")


WAYS: Final = (("centre", at_centre), ("registrar", by_visit), ("pharmacist", by_old_card), ("teller", online))
"""Each way with the name in the town of whoever has the reader."""


def for_child(new: Newcomer) -> None:
    """A child's card is handed to the guardian, and in use by the guardian's document."""
    teller, number = new.town.teller, new.card.card_no
    same = Verdict.SAME_PERSON
    with refused(f"{number} into a child's own hands", RuleBroken):
        issue.hand_over(teller, uuid4(), card_no=number, document=new.document, verdict=same)
    register_guardian(
        teller,
        uuid4(),
        holder_id=new.card.holder_id,
        relation=Relation.FATHER,
        name=_GUARDIAN_NAME,
        document=_GUARDIAN,
    )
    guardian = Agent(_GUARDIAN_NAME, _GUARDIAN, AgentRelation.FATHER_OF_DAUGHTER)
    issue.hand_over(teller, uuid4(), card_no=number, document=new.document, verdict=same, guardian=guardian)
    new.at(new.link).activate(new.link, uuid4(), _GUARDIAN)
    fact(f"{number} of a child: handed to the registered guardian, activated with the guardian's document")


def _signed(device: Ed25519PrivateKey, check: Check, card_no: str, score: int) -> SignedVerdict:
    verdict = SignedVerdict(_DEVICE, str(uuid4()), check, card_no, score, datetime.now(UTC), "")
    return replace(verdict, signature=device.sign(verdict.message()).hex())


def _archive() -> Recipient:
    key, now = generate_private_key(public_exponent=65537, key_size=2048), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "archive")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    return Recipient(certificate.public_bytes(Encoding.PEM), now)
