"""What was copied and measured before an activation: looked at, never made up.

A verifier is a device or service whose public key the administrator registered. Its verdict counts when its signature
is right, it is about this card, fresh, over the threshold, and was never used before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kaguan.cms.models import Card, Verifier, VerifierVerdict
from kaguan.cms.rules.activation import SealedCopy, SignedVerdict
from kaguan.cms.rules.choices import Check, Paper
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.regions import RegionRules
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ENVELOPED: Final = bytes.fromhex("06092A864886F70D010703")
"""The object identifier of CMS EnvelopedData, which stands first in every sealed copy."""
_HEAD: Final = 30
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
_MOST_SCORE: Final = 1_000
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class VerifierRef:
    """A verifier by its code."""

    code: str


@use_case("register verifier", Right.SET_UP, VerifierRef)
def register_verifier(
    case: Case, /, *, code: str, checks: Sequence[Check], public_key: str, least_score: int
) -> VerifierRef:
    """Leave the device's verdicts believed in the actor's region, from `least_score` thousandths on.

    Refuses, in this order: code used, no checks, no Ed25519 key (32 bytes in hex), a score outside 1 to 1000.
    """
    if Verifier.objects.filter(pk=code).exists():
        raise DuplicateRequest(f"verifier {code} is registered already")
    if not checks:
        raise NotEligible("a verifier compares faces, fingerprints or both: say which")
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    except ValueError:
        raise NotEligible(f"the verifier's public key is not {_KEY_BYTES} bytes in hex") from None
    if not 0 < least_score <= _MOST_SCORE:
        raise NotEligible(f"a score is 1 to {_MOST_SCORE} thousandths, not {least_score}")
    Verifier.objects.create(
        code=code,
        region=case.institution.region,
        checks=[check.value for check in checks],
        public_key=public_key,
        least_score=least_score,
    )
    case.note(verifier=code, least_score=least_score)
    return VerifierRef(code)


def check_copies(rules: RegionRules, copies: Sequence[SealedCopy]) -> None:
    """Return when the form and every document that the region asks for was copied and sealed; refuse otherwise."""
    shown = [copy.document for copy in copies]
    for document in (Paper.FORM, *rules.medical_documents):
        if document not in shown:
            raise NotEligible(f"the {document} has to be shown, and a copy of it kept")
    for copy in copies:
        if not _DIGEST.fullmatch(copy.digest) or _ENVELOPED not in copy.sealed[:_HEAD]:
            raise NotEligible(f"the copy of the {copy.document} is not sealed: seal it for the archive first")


def check_verdicts(case: Case, card: Card, verdicts: Sequence[SignedVerdict]) -> list[tuple[Verifier, SignedVerdict]]:
    """Return a passing verdict, with its verifier, for every check that the region asks for.

    Refuses, in this order and check by check: no verifier set up, no verdict, unknown verifier, signature, another
    card, not fresh, used before, under the threshold.
    """
    used = []
    for check in card.region.rules().activation_checks:
        able = [
            verifier
            for verifier in Verifier.objects.filter(region=card.region, active=True)
            if check in verifier.checks
        ]
        if not able:
            raise NotEligible(f"no verifier for the {check} is set up: nobody can say that it was compared")
        verdict = next((verdict for verdict in verdicts if verdict.check == check), None)
        if verdict is None:
            raise NotEligible(f"the {check} has to be compared on site")
        verifier = next((verifier for verifier in able if verifier.code == verdict.verifier), None)
        if verifier is None:
            raise NotEligible(f"no verifier {verdict.verifier!r} compares a {check} here")
        _check_verdict(case, card, verifier, verdict)
        used.append((verifier, verdict))
    return used


def _check_verdict(case: Case, card: Card, verifier: Verifier, verdict: SignedVerdict) -> None:
    named = f"verdict {verdict.verdict_id} of {verifier.code}"
    case.note(**{f"{verdict.check}_verdict": verdict.verdict_id, f"{verdict.check}_score": verdict.score})
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(verifier.public_key))
        key.verify(bytes.fromhex(verdict.signature), verdict.message())
    except (InvalidSignature, ValueError):
        raise NotEligible(f"{named} is not signed by it") from None
    if verdict.card_no != card.card_no:
        raise NotEligible(f"{named} is about another card")
    oldest = case.at - timedelta(minutes=card.region.rules().verdict_valid_minutes)
    if not oldest <= verdict.measured_at <= case.at + _CLOCKS_DIFFER:
        raise NotEligible(f"{named} is not fresh: compare again")
    if VerifierVerdict.objects.filter(verifier=verifier, verdict_id=verdict.verdict_id).exists():
        raise NotEligible(f"{named} was used before: compare again")
    if verdict.score < verifier.least_score:
        raise NotEligible(f"the {verdict.check} did not pass: {verdict.score} of {verifier.least_score} thousandths")
