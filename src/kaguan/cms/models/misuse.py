"""Reports that somebody used another person's card: a card is neither rented nor lent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, Text, Uuid


class MisuseReport(models.Model):
    """Who saw a card used by somebody else, where and when, and what was seen."""

    report_id: Uuid = models.UUIDField(primary_key=True)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="misuse_reports")
    what: Text = BoundedText(max_length=200, blank=True)
    operator: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
