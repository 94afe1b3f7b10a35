"""Programs that work with the system: the tokens by which they are known.

Law. A token stands here as a digest alone: whoever reads the table opens no door with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.people import Operator
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, OptionalMoment, Text, Uuid


class MachineToken(models.Model):
    """What a program shows instead of signing in; it acts as one operator, until it expires or is revoked."""

    token_id: Uuid = models.UUIDField(primary_key=True)
    digest: Text = BoundedText(max_length=64, unique=True)
    operator: models.ForeignKey[Operator, Operator] = models.ForeignKey(
        Operator, models.PROTECT, related_name="machine_tokens"
    )
    purpose: Text = BoundedText(max_length=60)
    issued_by: Text = BoundedText(max_length=20)
    issued_at: Moment = models.DateTimeField()
    expires_at: Moment = models.DateTimeField()
    revoked_at: OptionalMoment = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("issued_at")), name="machine_token_lasts_a_while"
            ),
        )
