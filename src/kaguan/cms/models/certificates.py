"""Electronic certificates of cards, and the keys that sign them.

Law. Whether a certificate is good is not written here: its card tells it, besides who revoked it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card
from kaguan.cms.models.places import Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.certificates import Purpose

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, OptionalMoment, Text, Uuid


class CertificateKey(models.Model):
    """A region's key by its thumbprint: the newest that is neither retired nor withdrawn signs.

    `public_key` is in hex, `sealed` the private one. What a retired key signed stays good, what a withdrawn one did
    does not.
    """

    key_id: Text = BoundedText(max_length=43, primary_key=True)
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    public_key: Text = BoundedText(max_length=64)
    sealed: Text = BoundedText(max_length=400)
    added_by: Text = BoundedText(max_length=20)
    added_at: Moment = models.DateTimeField()
    retired_at: OptionalMoment = models.DateTimeField(null=True)
    withdrawn_at: OptionalMoment = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["region"],
                condition=models.Q(retired_at=None, withdrawn_at=None),
                name="one_key_signs_a_regions_certificates",
            ),
        )


class Certificate(models.Model):
    """An extract that was issued: `content` is what was signed, so that the same text can be made again."""

    certificate_id: Uuid = models.UUIDField(primary_key=True)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="certificates")
    key: models.ForeignKey[CertificateKey, CertificateKey] = models.ForeignKey(CertificateKey, models.PROTECT)
    purpose: Text = BoundedText(max_length=5, choices=[(purpose.value, purpose.name) for purpose in Purpose])
    content: Text = BoundedText(max_length=1_000, blank=True)
    issued_at: Moment = models.DateTimeField()
    expires_at: Moment = models.DateTimeField()
    issued_by: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    revoked_at: OptionalMoment = models.DateTimeField(null=True)
    revoked_by: Text = BoundedText(max_length=20, blank=True)
    why: Text = BoundedText(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("issued_at")), name="certificate_lasts_a_while"
            ),
        )
