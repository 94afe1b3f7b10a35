"""A request for every use case of certificates: who asks, what has to be there, and what is asked."""

from __future__ import annotations

from uuid import UUID, uuid4

from cms.certificates import CARD, NEXT_KEY, sign_with
from cms.evidence import employ
from cms.town import CERT_NO, shown
from kaguan.cms.rules.certificates import Purpose
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.access.holders import sign_in_holder
from kaguan.cms.services.case import Actor
from kaguan.cms.services.certificates import issuing, keys
from kaguan.cms.services.set_up import set_region
from kaguan.vault.secret import Secret

ISSUED = UUID(int=11)
PORTAL = Actor("portal", "SSB")
TOKEN: dict[str, Secret] = {}
PROOF = {"card_no": CARD, "purpose": Purpose.PROOF}


def nothing(town, request_id):
    pass


def signing(town, request_id):
    town.active_card(CARD)
    sign_with(town)


def issued(town, request_id):
    signing(town, request_id)
    issuing.issue_certificate(town.teller, ISSUED, **PROOF, document=shown())


def signed_in(town, request_id):
    issued(town, request_id)
    employ(town, "portal", "SSB", Role.PORTAL)
    set_region(town.administrator, uuid4(), settings={"online_password_change": "suggested"})
    TOKEN["token"] = sign_in_holder(PORTAL, CERT_NO, Secret(CARD.encode()), source="here").token


def held():
    return TOKEN["token"]


def signing_key():
    return keys.CertificateKey.objects.get().pk


GONE = {"certificate_id": ISSUED, "why": "sent by mistake"}
CASES = [
    (issuing.issue_certificate, "teller", signing, {**PROOF, "document": shown()}),
    (issuing.issue_own_certificate, PORTAL, signed_in, {**PROOF, "token": held}),
    (issuing.revoke_certificate, "clerk", issued, GONE),
    (issuing.revoke_own_certificate, PORTAL, signed_in, {**GONE, "token": held}),
    (keys.add_key, "administrator", nothing, {"key": Secret(NEXT_KEY.private_bytes_raw())}),
    (keys.withdraw_key, "administrator", signing, {"key_id": signing_key, "why": "copied"}),
]
