"""What a holder is told of cards and requests: plain stages, nothing about anybody else."""

from __future__ import annotations

from kaguan.cms.models import Card, CardRequest, Reminder, TemporaryCard
from kaguan.cms.queries import Record
from kaguan.cms.rules.progress import Progress, progress_of
from kaguan.cms.services.case import find_holder
from kaguan.cms.services.requests import OPEN


def progress_record(cert_type: str, cert_no: str) -> Record:
    """Return how far the person's newest card or open request is, with reminders and temporary card.

    Refuses with NotFound when nobody has that document.
    """
    holder = find_holder(cert_type, cert_no)
    request = CardRequest.objects.filter(holder=holder).order_by("-applied_at").first()
    card = Card.objects.filter(holder=holder).order_by("-issue_date", "-card_no").first()
    record: Record = {"progress": Progress.NONE.value}
    if card is not None:
        record = {"progress": progress_of(card.production, card.application).value, "card_no": card.card_no}
    if request is not None and (request.stage in OPEN or card is None):
        record = {"progress": progress_of(request.stage).value, "card_request": str(request.pk)}
    slip = TemporaryCard.objects.filter(holder=holder).order_by("-issued_on").first()
    return {
        **record,
        "reminders": list(Reminder.objects.filter(card=card).order_by("id").values_list("kind", flat=True)),
        "temporary_card": slip.temporary_card_no if slip else "",
        "temporary_card_until": slip.valid_until.isoformat() if slip else "",
    }
