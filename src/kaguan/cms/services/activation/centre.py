"""At a card service centre: form, copies, and a face and a fingerprint that a device has compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kaguan.cms.models import Activation, Card, DocumentCopy, VerifierVerdict
from kaguan.cms.rules.activation import NO_READER, ActivationWay, ApplicationForm, ChipRecord, SealedCopy, SignedVerdict
from kaguan.cms.rules.documents import Document
from kaguan.cms.rules.lifecycle import APPLICATION
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.activation.entry import ActivationState, begin, told
from kaguan.cms.services.activation.evidence import check_copies, check_verdicts
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@use_case("activate at centre", Right.ACTIVATE, ActivationState)
def activate_at_centre(
    case: Case,
    /,
    *,
    card_no: str,
    document: Document,
    form: ApplicationForm,
    copies: Sequence[SealedCopy],
    verdicts: Sequence[SignedVerdict],
    chip: ChipRecord = NO_READER,
) -> ActivationState:
    """Leave the medical account in use; form, copies and verdicts are kept with the activation.

    Refuses, in this order: no such card, own card, way, state, form of another person or bank card, a document not
    copied or not sealed, a check without verifier, without verdict or not passed, not handed over yet, no centre,
    document, replaced card still open, expired, another activation open.
    """
    card = case.card(card_no)
    APPLICATION.find(card.application, ActivationWay.SERVICE_CENTRE)
    _check_form(card, form)
    check_copies(card.region.rules(), copies)
    used = check_verdicts(case, card, verdicts)
    circumstances = replace(case.circumstances(card, document=document), evidence_complete=True)
    evidence = {
        "document_type": document.cert_type,
        "documents": sorted(copy.document for copy in copies),
        "verdicts": [f"{verdict.verifier} {verdict.verdict_id}" for _, verdict in used],
    }
    activation = begin(case, card, ActivationWay.SERVICE_CENTRE, circumstances, chip, evidence)
    _keep(activation, copies)
    for verifier, verdict in used:
        VerifierVerdict.objects.create(
            verifier=verifier,
            verdict_id=verdict.verdict_id,
            check_kind=verdict.check,
            score=verdict.score,
            measured_at=verdict.measured_at,
            activation=activation,
        )
    return told(activation)


def _check_form(card: Card, form: ApplicationForm) -> None:
    holder = card.holder
    if (form.name, form.cert_no.upper()) != (holder.name, holder.cert_no.upper()):
        raise NotEligible("the application form is of another person than the card")
    if not form.bank_card_no or form.bank_card_no != card.bank_card_no:
        raise NotEligible("the application form names another bank card than the books")


def _keep(activation: Activation, copies: Sequence[SealedCopy]) -> None:
    for copy in copies:
        DocumentCopy.objects.create(
            activation=activation, document=copy.document, digest=copy.digest, sealed=copy.sealed
        )
