"""The outbox: what a bank has to be told, written in the transaction that made it so, delivered afterwards.

Law. A notice is written when its cause is, or neither is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card
from kaguan.cms.models.places import Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.notices import NoticeState

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Json, Moment, Text, Uuid, Whole


class BankEndpoint(models.Model):
    """Where a bank takes the notices of a region, with the sealed key that they are signed under."""

    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    bank_code: Text = BoundedText(max_length=15)
    url: Text = BoundedText(max_length=300)
    key: Text = BoundedText(max_length=400)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["region", "bank_code"], name="one_endpoint_a_bank"),)


class Notice(models.Model):
    """One thing that a bank is told about a card; `number` says in which order they came to be.

    `before` is where the card stood, by axis, so that a refusal can put it back there. The account's number is not
    kept a second time: the message takes it from the card when it is sent.
    """

    number: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    notice_id: Uuid = models.UUIDField(unique=True)
    endpoint: models.ForeignKey[BankEndpoint, BankEndpoint] = models.ForeignKey(BankEndpoint, models.PROTECT)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="notices")
    event: Text = BoundedText(max_length=30)
    content: Json = models.JSONField()
    before: Json = models.JSONField()
    at: Moment = models.DateTimeField()
    state: Text = BoundedText(max_length=9, default=NoticeState.WAITING.value)
    attempts: Whole = models.BigIntegerField(default=0)
    next_at: Moment = models.DateTimeField()
    answer: Text = BoundedText(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in NoticeState]), name="known_notice_state"
            ),
        )
        indexes = (models.Index(fields=["state", "next_at"], name="notices_due"),)
