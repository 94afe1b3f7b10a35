"""A request for every use case of certificates: who asks, what has to be there, and what is asked."""

from __future__ import annotations

from uuid import UUID

from cms.certificates import CARD, NEXT_KEY, sign_with
from cms.people_cases import PORTAL, held, sign_in
from cms.request_cases import nothing
from cms.town import shown
from kaguan.cms.rules.certificates import Purpose
from kaguan.cms.services.certificates import issuing, keys
from kaguan.vault.secret import Secret

ISSUED = UUID(int=11)
PROOF = {"card_no": CARD, "purpose": Purpose.PROOF}


def signing(town, request_id):
    town.active_card(CARD)
    sign_with(town)


def issued(town, request_id):
    signing(town, request_id)
    issuing.issue_certificate(town.teller, ISSUED, **PROOF, document=shown())


def signed_in(town, request_id):
    issued(town, request_id)
    sign_in(town)


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
