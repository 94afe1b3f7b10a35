"""Holders of cards and operators of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.places import Institution, Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.rights import Level

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Flag, Json, Text


class Holder(models.Model):
    """A person who has, had or will have a card."""

    cert_type: Text = BoundedText(max_length=2)
    cert_no: Text = BoundedText(max_length=30)
    name: Text = BoundedText(max_length=100)
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    region_id: str

    class Meta:
        constraints = (
            # A person may be on the books of two cities, and neither learns of the other.
            models.UniqueConstraint(fields=["region", "cert_type", "cert_no"], name="one_holder_a_document"),
        )
        indexes = (models.Index(fields=["cert_no"], name="holder_by_cert_no"),)

    def __str__(self) -> str:
        """Name the holder by number, so that no log shows who it is."""
        return f"holder {self.pk}"


class Operator(models.Model):
    """A person who works with the system; `holder` is the same person as a card holder, if any."""

    code: Text = BoundedText(max_length=20, primary_key=True)
    name: Text = BoundedText(max_length=100)
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    roles: Json = models.JSONField(default=list)
    level: Text = BoundedText(max_length=1, default=Level.TELLER.value)
    active: Flag = models.BooleanField(default=True)
    holder: models.ForeignKey[Holder | None, Holder | None] = models.ForeignKey(Holder, models.PROTECT, null=True)
    holder_id: int | None
