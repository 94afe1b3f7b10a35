"""Requests for a card: may somebody have one, and what becomes of the wish until it is ordered."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import (
    AgentShown,
    Code,
    DocumentShown,
    OptionalCode,
    PersonName,
    PersonNamed,
    Strict,
)
from kaguan.cms.rules.applying import ApplicationWay, Eligibility, Presence, RequestKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.production import CheckFailure
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services import instant, requests
from kaguan.cms.services.instant import MarkedRequest, WaitingPerson
from kaguan.cms.services.requests import Applicant, RequestState, UnitReceipt, Wish

router: Final = Router(tags=["requests"])


class ApplicantNamed(PersonNamed):
    """The person who is to have the card."""

    name: PersonName

    def applicant(self) -> Applicant:
        """Return the person as use cases take them."""
        return Applicant(self.cert_type, self.cert_no, self.name)


class EligibilityAsked(Strict):
    """Who asks for which kind of card."""

    applicant: ApplicantNamed
    kind: RequestKind


class Wanted(Strict):
    """What is to be had."""

    kind: RequestKind
    bank_code: Code
    outlet: OptionalCode = ""
    reason: OptionalCode = ""

    def wish(self) -> Wish:
        """Return what is wanted."""
        return Wish(self.kind, self.bank_code, self.outlet, self.reason)


class CardWanted(Wanted):
    """Who is to have what, and who came for it."""

    applicant: ApplicantNamed
    way: ApplicationWay
    document: DocumentShown | None = None
    agent: AgentShown | None = None
    verdict: Verdict | None = None
    unit_no: OptionalCode = ""
    channel: Channel | None = None

    def presence(self) -> Presence:
        """Return who and what is there."""
        return Presence(
            self.way,
            self.document.document() if self.document else None,
            self.agent.agent() if self.agent else None,
            self.verdict,
            self.unit_no,
            self.channel,
        )


class UnitApplication(Wanted):
    """A unit's people, and what all of them are to have."""

    unit_no: Code
    applicants: Annotated[list[ApplicantNamed], Field(min_length=1, max_length=500)]


class CheckResult(Strict):
    """What the check came to: nothing wrong, or why it fails."""

    failure: CheckFailure | None = None


@router.post("/eligibility", response=answers(Eligibility), operation_id="may_have_card")
def may_have_card(request: HttpRequest, body: EligibilityAsked) -> Eligibility:
    """Say whether somebody may apply, and if not why not."""
    return requests.may_have_card(*asks_for(request, uuid4()), applicant=body.applicant.applicant(), kind=body.kind)


@router.post("", response=answers(RequestState), operation_id="apply_for_card")
def apply(request: HttpRequest, key: Key, body: CardWanted) -> RequestState:
    """Apply for a card; the key becomes the request's own id."""
    return requests.apply(
        *asks_for(request, key),
        applicant=body.applicant.applicant(),
        wish=body.wish(),
        presence=body.presence(),
    )


@router.post("/units", response=answers(UnitReceipt), operation_id="apply_for_unit")
def apply_for_unit(request: HttpRequest, key: Key, body: UnitApplication) -> UnitReceipt:
    """Apply for everybody of a unit, whole or not at all."""
    return requests.apply_for_unit(
        *asks_for(request, key),
        applicants=[named.applicant() for named in body.applicants],
        wish=body.wish(),
        presence=Presence(ApplicationWay.UNIT, unit_no=body.unit_no),
    )


@router.post("/{card_request_id}/check", response=answers(RequestState), operation_id="check_request")
def check(request: HttpRequest, card_request_id: UUID, key: Key, body: CheckResult) -> RequestState:
    """Say what the check of a request came to."""
    return requests.check_request(*asks_for(request, key), card_request_id=card_request_id, failure=body.failure)


@router.post("/{card_request_id}/correction", response=answers(RequestState), operation_id="correct_request")
def correct(request: HttpRequest, card_request_id: UUID, key: Key) -> RequestState:
    """Put a request that failed its check up for another."""
    return requests.correct_request(*asks_for(request, key), card_request_id=card_request_id)


@router.get("/instant", response=answers(list[WaitingPerson]), operation_id="instant_requests")
def waiting(request: HttpRequest) -> list[WaitingPerson]:
    """List who waits here for a card that is made at once, longest first."""
    return instant.instant_requests(*asks_for(request, uuid4()))


@router.post("/{card_request_id}/instant-mark", response=answers(MarkedRequest), operation_id="mark_instant")
def mark(request: HttpRequest, card_request_id: UUID, key: Key) -> MarkedRequest:
    """Have the card made here while its holder waits."""
    return instant.mark_instant(*asks_for(request, key), card_request_id=card_request_id)


@router.post("/{card_request_id}/instant-mark/removal", response=answers(MarkedRequest), operation_id="unmark_instant")
def unmark(request: HttpRequest, card_request_id: UUID, key: Key) -> MarkedRequest:
    """Leave the card to the bureau after all."""
    return instant.unmark_instant(*asks_for(request, key), card_request_id=card_request_id)


@router.post("/{card_request_id}/withdrawal", response=answers(RequestState), operation_id="withdraw_request")
def withdraw(request: HttpRequest, card_request_id: UUID, key: Key) -> RequestState:
    """Withdraw a request."""
    return requests.withdraw_request(*asks_for(request, key), card_request_id=card_request_id)
