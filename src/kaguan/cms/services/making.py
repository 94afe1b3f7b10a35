"""Look at how far somebody's card is: what they asked for, its order, where it lies, and who has it."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.cms.models import Card, CardRequest, Holder, InstantMark, StockItem
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.progress import Progress, progress_of
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import question
from kaguan.personalization.order.validity import years_after


@dataclass(frozen=True, slots=True)
class Making:
    """A person's newest request and card; what is not there yet is empty.

    `longest_until` is the last day (ISO 8601) that a card ordered today may have, `place` cabinet and position;
    `instant`, the request is marked to be made while the holder waits.
    """

    holder_id: int
    progress: Progress
    card_request_id: str
    request_kind: str
    stage: str
    card_no: str
    order_no: str
    institution: str
    institution_name: str
    place: str
    received_at: str
    longest_until: str
    instant: bool


@question("look at making", Right.LOOK)
def look_at_making(case: Case, /, *, cert_type: str, cert_no: str, name: str) -> Making:
    """Return how far the newest card or open request of this very person is.

    Refuses, in this order: nobody with that document and name, oneself.
    """
    holder = case.known_holder(cert_type, cert_no.upper())
    if holder is None or holder.name != name:
        raise NotFound(f"no person with document {cert_type} {mask_number(cert_no)} and that name is on the books")
    case.check_not_own(holder.pk)
    case.note(holder=holder.pk)
    request = CardRequest.objects.filter(holder=holder).order_by("applied_at").last()
    card = Card.objects.select_related("order").filter(holder=holder).order_by("order__ordered_at", "card_no").last()
    if card is not None and request is not None and request.card is None and request.applied_at > card.order.ordered_at:
        card = None  # the request is for the next one
    return _told(case, holder, request, card)


def _told(case: Case, holder: Holder, request: CardRequest | None, card: Card | None) -> Making:
    item = StockItem.objects.select_related("institution").filter(card=card).first() if card else None
    stage = card.production if card else request.stage if request else ""
    application = {"application": card.application} if card else {}
    until = years_after(case.today, holder.region.rules().card_valid_years)
    return Making(
        holder.pk,
        progress_of(stage, **application) if stage else Progress.NONE,
        str(request.pk) if request else "",
        request.kind if request else "",
        stage,
        card.card_no if card else "",
        card.order.order_no if card else "",
        item.institution.code if item else "",
        item.institution.name if item else "",
        f"{item.cabinet} {item.position}".strip() if item else "",
        item.received_at.isoformat(timespec="seconds") if item else "",
        until.isoformat(),
        request is not None and InstantMark.objects.filter(card_request=request).exists(),
    )
