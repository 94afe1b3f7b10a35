"""What was asked about people's data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.people import Holder

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, Text, Uuid


class PurgeRequest(models.Model):
    """That a person's data be destroyed, asked for at the authority; another person's approval carries it out.

    Rows are only ever added.
    """

    purge_id: Uuid = models.UUIDField(primary_key=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT)
    holder_id: int
    reason: Text = models.CharField(max_length=200)
    asked_by: Text = models.CharField(max_length=20)
    at: Moment = models.DateTimeField()
