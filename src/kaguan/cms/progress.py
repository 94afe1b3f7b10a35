"""What a holder is told of cards and requests: plain stages, nothing about anybody else."""

from __future__ import annotations

from collections.abc import Collection

from kaguan.cms.models import Card, CardRequest, Holder, Reminder, TemporaryCard
from kaguan.cms.queries import Record
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import OPEN_REQUEST, CheckFailure, Production
from kaguan.cms.rules.progress import Progress, progress_of
from kaguan.cms.rules.refusals import NotFound


def progress_record(cert_type: str, cert_no: str, within: Collection[str]) -> Record:
    """Return how far the person's newest card or open request is, with reminders and temporary card.

    Refuses with NotFound when nobody of these regions has that document.
    """
    known = Holder.objects.filter(cert_type=cert_type, cert_no=cert_no, region__in=within)
    holder = known.order_by("pk").first()
    if holder is None:
        raise NotFound(f"no person with document {cert_type} {mask_number(cert_no)} is on the books")
    request = CardRequest.objects.filter(holder=holder).order_by("-applied_at").first()
    card = Card.objects.filter(holder=holder).order_by("-issue_date", "-card_no").first()
    record: Record = {"progress": Progress.NONE.value}
    if card is not None:
        record = {"progress": progress_of(card.production, card.application).value, "card_no": card.card_no}
    if request is not None and (request.stage in OPEN_REQUEST or card is None):
        record = {"progress": progress_of(request.stage).value, "card_request": str(request.pk)}
    slip = TemporaryCard.objects.filter(holder=holder).order_by("-issued_on").first()
    return {
        **record,
        "reminders": list(Reminder.objects.filter(card=card).order_by("id").values_list("kind", flat=True)),
        "temporary_card": slip.temporary_card_no if slip else "",
        "temporary_card_until": slip.valid_until.isoformat() if slip else "",
    }


def open_requests(within: Collection[str]) -> list[Record]:
    """Return every request of these regions that is not ordered yet, oldest first; people stand as numbers in it."""
    waiting = CardRequest.objects.filter(stage__in=OPEN_REQUEST, region__in=within)
    return [
        {
            "card_request": str(request.pk),
            "holder": request.holder_id,
            "kind": RequestKind(request.kind).name,
            "way": request.way,
            "stage": Production(request.stage).name,
            "failure": CheckFailure(request.failure).name if request.failure else "",
            "bank_code": request.bank_code,
            "applied_by": request.applied_by,
            "applied_at": request.applied_at.isoformat(timespec="seconds"),
        }
        for request in waiting.order_by("applied_at")
    ]


def open_reminders(within: Collection[str]) -> list[Record]:
    """Return every reminder of these regions whose card still waits to be activated, oldest first."""
    waiting = Reminder.objects.filter(card__application=Application.NOT_ENABLED, card__region__in=within)
    return [
        {
            "card_no": reminder.card.card_no,
            "holder": reminder.card.holder_id,
            "kind": reminder.kind,
            "due_on": reminder.due_on.isoformat(),
        }
        for reminder in waiting.select_related("card").order_by("id")
    ]
