"""Cards into use: at a service centre, by a visit, by an old card; and with the card in a reader, in two steps.

Whoever has the reader does the chip's part. It begins an activation with what the chip's record is and will be, writes
it, and confirms or cancels under the activation's own id; a lost answer leaves the activation open.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, Seen, answers, asks_for, goes_on
from kaguan.cms.api.shapes import (
    Bytes,
    CardNo,
    CertNo,
    Code,
    DocumentShown,
    Moment,
    Number,
    PersonName,
    PersonNamed,
    Strict,
    Why,
    bytes_of,
    text,
)
from kaguan.cms.rules.activation import NO_READER, ApplicationForm, ChipRecord, SealedCopy, SignedVerdict, Visit
from kaguan.cms.rules.choices import Check
from kaguan.cms.services import issue
from kaguan.cms.services.activation import centre, entry, evidence, old_card, visit
from kaguan.cms.services.activation.entry import ActivationState
from kaguan.cms.services.activation.evidence import VerifierRef
from kaguan.cms.services.activation.old_card import OldCardShown
from kaguan.cms.services.activation.visit import RegisteredVisit

router: Final = Router(tags=["activation"])

SiteTerminal = Annotated[str, text(12)]
_Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class ChipShown(Strict):
    """The chip's insurance record, counted from 1: what it says, and what it will say."""

    slot: Annotated[int, Field(ge=1, le=255), Number]
    before: Annotated[str, text(200, shortest=0)]
    after: Annotated[str, text(200)]

    def record(self) -> ChipRecord:
        """Return it as use cases take it."""
        return ChipRecord(self.slot, self.before, self.after)


class ReaderActivation(Strict):
    """What lies on the counter, and in the reader."""

    document: DocumentShown
    chip: ChipShown


class CopyMade(Strict):
    """A copy that is sealed for the archive (CMS EnvelopedData), with SHA-256 of the copy in clear."""

    document: Annotated[str, text(40)]
    digest: _Hex32
    sealed: Annotated[Bytes, Field(min_length=4)]

    def copy_of(self) -> SealedCopy:
        """Return it as use cases take it."""
        return SealedCopy(self.document, self.digest, bytes_of(self.sealed))


class VerdictSigned(Strict):
    """What a verifier found, signed by it (Ed25519, in hex)."""

    verifier: Code
    verdict_id: Annotated[str, text(40)]
    check: Check
    card_no: CardNo
    score: Annotated[int, Field(ge=0, le=1_000), Number]
    measured_at: Moment
    signature: _Hex64

    def verdict(self) -> SignedVerdict:
        """Return it as use cases take it."""
        return SignedVerdict(**self.model_dump())


class FormShown(Strict):
    """What the application form says."""

    name: PersonName
    cert_no: CertNo
    bank_card_no: Code


class CentreActivation(Strict):
    """Everything that a service centre has to have; `chip` with a reader."""

    document: DocumentShown
    form: FormShown
    copies: Annotated[list[CopyMade], Field(max_length=10)]
    verdicts: Annotated[list[VerdictSigned], Field(max_length=10)]
    chip: ChipShown | None = None


class VisitRegistered(Strict):
    """What the person registers for, and under which number; `chip` with a reader."""

    visit: Visit
    registration_no: Annotated[str, text(40)]
    chip: ChipShown | None = None


class OldCardRead(PersonNamed):
    """Which old card a terminal read, and whom it names."""

    old_card_no: Code
    terminal_no: SiteTerminal


class OldCardActivation(Strict):
    """The terminal that read the old card; `chip` with a reader."""

    terminal_no: SiteTerminal
    chip: ChipShown | None = None


class RecordWritten(Strict):
    """What the chip says now."""

    chip: ChipShown


class VerifierKnown(Strict):
    """A device, what it compares, its Ed25519 key in hex, and from how many thousandths on it passes."""

    code: Code
    checks: Annotated[list[Check], Field(min_length=1, max_length=2)]
    public_key: _Hex32
    least_score: Annotated[int, Field(ge=1, le=1_000), Number]


def _record(chip: ChipShown | None) -> ChipRecord:
    return chip.record() if chip else NO_READER


@router.post("/cards/{card_no}/activation/reader", response=answers(ActivationState), operation_id="begin_activation")
def begin(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: ReaderActivation) -> ActivationState:
    """Begin an activation at an outlet of the card's bank with the card in a reader; the key becomes its id."""
    return issue.activate(
        *asks_for(request, key, seen), card_no=card_no, document=body.document.document(), chip=body.chip.record()
    )


@router.post("/cards/{card_no}/activation/centre", response=answers(ActivationState), operation_id="activate_at_centre")
def at_centre(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: CentreActivation) -> ActivationState:
    """Bring the card into use at a service centre, with form, copies, face and fingerprint."""
    return centre.activate_at_centre(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        form=ApplicationForm(body.form.name, body.form.cert_no, body.form.bank_card_no),
        copies=[made.copy_of() for made in body.copies],
        verdicts=[signed.verdict() for signed in body.verdicts],
        chip=_record(body.chip),
    )


@router.post("/cards/{card_no}/visits", response=answers(RegisteredVisit), operation_id="register_visit")
def register_visit(
    request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: VisitRegistered
) -> RegisteredVisit:
    """Register a visit at a designated hospital; the first normal one brings the card into use."""
    return visit.register_visit(
        *asks_for(request, key, seen),
        card_no=card_no,
        visit=body.visit,
        registration_no=body.registration_no,
        chip=_record(body.chip),
    )


@router.post("/old-cards", response=answers(OldCardShown), operation_id="show_old_card")
def show_old_card(request: HttpRequest, key: Key, body: OldCardRead) -> OldCardShown:
    """Tell that a terminal of a designated pharmacy read somebody's old card; their new one may follow."""
    return old_card.show_old_card(
        *asks_for(request, key),
        old_card_no=body.old_card_no,
        cert_type=body.cert_type,
        cert_no=body.cert_no,
        terminal_no=body.terminal_no,
    )


@router.post(
    "/cards/{card_no}/activation/old-card", response=answers(ActivationState), operation_id="activate_by_old_card"
)
def by_old_card(
    request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: OldCardActivation
) -> ActivationState:
    """Bring the new card into use that follows its holder's old one."""
    return old_card.activate_by_old_card(
        *asks_for(request, key, seen), card_no=card_no, terminal_no=body.terminal_no, chip=_record(body.chip)
    )


@router.post(
    "/activations/{activation_id}/confirmation", response=answers(ActivationState), operation_id="confirm_activation"
)
def confirm(request: HttpRequest, activation_id: UUID) -> ActivationState:
    """Tell that the chip has the record; the activation's id is the key."""
    return entry.confirm_activation(*goes_on(request, activation_id))


@router.post(
    "/activations/{activation_id}/cancellation", response=answers(ActivationState), operation_id="cancel_activation"
)
def cancel(request: HttpRequest, activation_id: UUID, body: Why) -> ActivationState:
    """Tell that the chip does not have the record; the activation's id is the key."""
    return entry.cancel_activation(*goes_on(request, activation_id), why=body.why)


@router.post("/cards/{card_no}/chip-record", response=answers(ActivationState), operation_id="record_written")
def record_written(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: RecordWritten) -> ActivationState:
    """Tell that the chip got the record that an activation without a reader owed it."""
    return entry.record_written(*asks_for(request, key, seen), card_no=card_no, chip=body.chip.record())


@router.post("/verifiers", response=answers(VerifierRef), operation_id="register_verifier")
def register_verifier(request: HttpRequest, key: Key, body: VerifierKnown) -> VerifierRef:
    """Believe a device that compares faces or fingerprints."""
    return evidence.register_verifier(
        *asks_for(request, key),
        code=body.code,
        checks=body.checks,
        public_key=body.public_key,
        least_score=body.least_score,
    )
