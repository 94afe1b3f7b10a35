"""Cards that are made while their holders wait (即时制卡): which requests, at which counter.

Law. A request that is marked is not proposed for the bureau's next order: nobody gets two cards for one wish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kaguan.cms.models import CardRequest, InstantMark
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.production import OPEN_REQUEST
from kaguan.cms.rules.progress import progress_of
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.requests import locked_request
from kaguan.cms.services.use_case import question, use_case

MOST: Final = 500


@dataclass(frozen=True, slots=True)
class MarkedRequest:
    """A request, whether it is marked, and at which institution."""

    card_request_id: str
    marked: bool
    institution: str


@dataclass(frozen=True, slots=True)
class WaitingPerson:
    """Somebody who waits for a card, masked, and since when (ISO 8601)."""

    card_request_id: str
    holder_id: int
    cert_type: str
    cert_no: str
    name: str
    progress: str
    at: str


@use_case("mark instant", Right.APPLY, MarkedRequest)
def mark_instant(case: Case, /, *, card_request_id: UUID) -> MarkedRequest:
    """Leave the open request marked: its card is made at the actor's institution while the holder waits.

    Refuses, in this order: no such request, own request, ordered or withdrawn already, marked already.
    """
    request = _open_request(case, card_request_id)
    if InstantMark.objects.filter(card_request=request).exists():
        raise DuplicateRequest(f"request {card_request_id} is marked for instant making already")
    InstantMark.objects.create(
        card_request=request, institution=case.institution, operator=case.operator.code, at=case.at
    )
    return MarkedRequest(str(request.pk), marked=True, institution=case.institution.code)


@use_case("take back instant mark", Right.APPLY, MarkedRequest)
def unmark_instant(case: Case, /, *, card_request_id: UUID) -> MarkedRequest:
    """Leave the request unmarked, for the bureau to make.

    Refuses, in this order: no such request, own request, ordered or withdrawn already, not marked.
    """
    request = _open_request(case, card_request_id)
    if not InstantMark.objects.filter(card_request=request).delete()[0]:
        raise NotFound(f"request {card_request_id} is not marked for instant making")
    return MarkedRequest(str(request.pk), marked=False, institution=case.institution.code)


@question("list instant requests", Right.LOOK)
def instant_requests(case: Case, /) -> list[WaitingPerson]:
    """Return who waits at the actor's institution for a card that is not ordered yet, longest first, 500 at most.

    The actor's own request is left out.
    """
    marks = InstantMark.objects.filter(institution=case.institution, card_request__stage__in=OPEN_REQUEST)
    if case.operator.holder_id is not None:
        marks = marks.exclude(card_request__holder=case.operator.holder_id)
    found = marks.select_related("card_request__holder").order_by("at", "pk")
    return [_told(mark) for mark in found[:MOST]]


def _open_request(case: Case, card_request_id: UUID) -> CardRequest:
    request = locked_request(case, card_request_id)
    if request.stage not in OPEN_REQUEST:
        raise IllegalTransition(f"request {card_request_id} is ordered or withdrawn: there is nothing left to mark")
    return request


def _told(mark: InstantMark) -> WaitingPerson:
    request = mark.card_request
    return WaitingPerson(
        str(request.pk),
        request.holder_id,
        request.holder.cert_type,
        mask_number(request.holder.cert_no),
        mask_name(request.holder.name),
        progress_of(request.stage).value,
        mark.at.isoformat(timespec="seconds"),
    )
