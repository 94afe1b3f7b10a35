"""Marks for instant making (即制卡标注): which requests become cards while their holders wait, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.lives import CardRequest
from kaguan.cms.models.places import Institution
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, Text


class InstantMark(models.Model):
    """That a request is made at this institution, at once; taken back, the row is gone."""

    card_request: models.OneToOneField[CardRequest, CardRequest] = models.OneToOneField(
        CardRequest, models.PROTECT, primary_key=True, related_name="instant_mark"
    )
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    operator: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
