"""What belongs to the life of a card and is no card: requests for one, temporary cards, departures, reminders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card
from kaguan.cms.models.people import Holder
from kaguan.cms.models.places import Institution, Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.applying import ApplicationWay, RequestKind
from kaguan.cms.rules.production import IN_REQUEST, OPEN_REQUEST, Production
from kaguan.cms.rules.temporary import TemporaryState

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Day, Moment, OptionalMoment, Text, Uuid


class CardRequest(models.Model):
    """A person's wish for a card (申领), until a card with a number stands in its place.

    `stage` is a state of the production axis before the order, and ORDERED once `card` is there. `replaces` is the
    card that ends when the new one is ordered. The agent is who came for the holder, if anybody did.
    """

    card_request_id: Uuid = models.UUIDField(primary_key=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="card_requests")
    holder_id: int
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    kind: Text = BoundedText(max_length=2, choices=[(kind.value, kind.name) for kind in RequestKind])
    way: Text = BoundedText(max_length=6, choices=[(way.value, way.name) for way in ApplicationWay])
    stage: Text = BoundedText(max_length=2, default=Production.APPLIED.value)
    reason: Text = BoundedText(max_length=4, blank=True)
    failure: Text = BoundedText(max_length=4, blank=True)
    bank_code: Text = BoundedText(max_length=15)
    outlet: models.ForeignKey[Institution | None, Institution | None] = models.ForeignKey(
        Institution, models.PROTECT, null=True
    )
    unit_no: Text = BoundedText(max_length=20, blank=True)
    agent_name: Text = BoundedText(max_length=100, blank=True)
    agent_cert_type: Text = BoundedText(max_length=2, blank=True)
    agent_cert_no: Text = BoundedText(max_length=30, blank=True)
    agent_relation: Text = BoundedText(max_length=1, blank=True)
    replaces: models.ForeignKey[Card | None, Card | None] = models.ForeignKey(
        Card, models.PROTECT, null=True, related_name="replacement_requests"
    )
    card: models.OneToOneField[Card | None, Card | None] = models.OneToOneField(
        Card, models.PROTECT, null=True, related_name="card_request"
    )
    applied_by: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    applied_at: Moment = models.DateTimeField()
    stage_since: Moment = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["holder"],
                condition=models.Q(stage__in=tuple(sorted(stage.value for stage in OPEN_REQUEST))),
                name="one_open_request_a_holder",
            ),
            models.CheckConstraint(
                condition=models.Q(stage__in=sorted(stage.value for stage in IN_REQUEST), card=None)
                | models.Q(stage=Production.ORDERED.value, card__isnull=False),
                name="a_card_ends_the_request",
            ),
        )


class TemporaryCard(models.Model):
    """A temporary card (临时卡) of paper; it works in its own region and has no bank function."""

    temporary_card_no: Text = BoundedText(max_length=20, primary_key=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(
        Holder, models.PROTECT, related_name="temporary_cards"
    )
    holder_id: int
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    state: Text = BoundedText(max_length=1, default=TemporaryState.VALID.value)
    issued_on: Day = models.DateField()
    valid_until: Day = models.DateField()
    issued_by: Text = BoundedText(max_length=20)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["holder"],
                condition=models.Q(state=TemporaryState.VALID.value),
                name="one_temporary_card_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in TemporaryState]), name="known_temporary_state"
            ),
        )
        indexes = (models.Index(fields=["state", "valid_until"], name="temporary_card_ends"),)


class Departure(models.Model):
    """That a person died or left; a departure registered by mistake is revoked, and stays on the books."""

    departure_id: Uuid = models.UUIDField(primary_key=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="departures")
    holder_id: int
    kind: Text = BoundedText(max_length=11)
    happened_on: Day = models.DateField()
    evidence: Text = BoundedText(max_length=200)
    registered_by: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
    revoked_by: Text = BoundedText(max_length=20, blank=True)
    revoked_at: OptionalMoment = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["holder"], condition=models.Q(revoked_at=None), name="one_departure_a_holder"
            ),
        )


class Reminder(models.Model):
    """That a holder is to be told something about a card; one of each kind a card."""

    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="reminders")
    kind: Text = BoundedText(max_length=30)
    due_on: Day = models.DateField()
    at: Moment = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["card", "kind"], name="one_reminder_a_kind"),)
