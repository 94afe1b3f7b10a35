"""Time in the town: the clock's own operator, and events that lie back."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from kaguan.cms.models import CardEvent, Operator
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor


def the_clock() -> Actor:
    """The operator that the clock runs as."""
    Operator.objects.get_or_create(
        code="clock", defaults={"name": "clock", "institution_id": "SSB", "roles": [Role.CLOCK.value]}
    )
    return Actor("clock", "SSB")


def days_ago(card_no: str, event: str, days: int) -> None:
    """Let the card's newest event of that name be so many days old: events cannot be changed, so it is told again."""
    newest = CardEvent.objects.filter(card=card_no, event=event).latest("id")
    CardEvent.objects.create(
        card_id=card_no,
        at=timezone.now() - timedelta(days=days),
        axis=newest.axis,
        event=event,
        from_state=newest.from_state,
        to_state=newest.to_state,
        operator=newest.operator,
        institution=newest.institution,
        request_id=uuid4(),
    )
