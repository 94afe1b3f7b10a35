"""What is known of a holder besides name and document, who answers for whom, and what two people decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

from kaguan.cms.models.people import Holder
from kaguan.cms.models.places import Region
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Bytes, Flag, Json, Moment, OptionalMoment, OptionalUuid, Text, Uuid


class HolderDetails(models.Model):
    """The facts of one person by the names of `rules.personal.FACTS`; what was before stands in the changes."""

    holder: models.OneToOneField[Holder, Holder] = models.OneToOneField(
        Holder, models.PROTECT, primary_key=True, related_name="details"
    )
    facts: Json = models.JSONField(default=dict)


class HolderChange(models.Model):
    """One fact of a person that became another; `approval` is what allowed it, where two people had to."""

    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="changes")
    at: Moment = models.DateTimeField()
    fact: Text = BoundedText(max_length=20)
    before: Text = BoundedText(max_length=200, blank=True)
    after: Text = BoundedText(max_length=200, blank=True)
    operator: Text = BoundedText(max_length=20)
    request_id: Uuid = models.UUIDField()
    approval: OptionalUuid = models.UUIDField(null=True)


class Guardian(models.Model):
    """Who acts for a minor, from `since` until `ended_at`."""

    ward: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="guardians")
    relation: Text = BoundedText(max_length=20)
    name: Text = BoundedText(max_length=100)
    cert_type: Text = BoundedText(max_length=2)
    cert_no: Text = BoundedText(max_length=30)
    since: Moment = models.DateTimeField()
    ended_at: OptionalMoment = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["ward", "cert_type", "cert_no"], condition=Q(ended_at=None), name="one_guardianship_at_a_time"
            ),
        )


class HolderPhoto(models.Model):
    """A portrait that met the photo rules; the newest is the one that cards are made with."""

    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="photos")
    digest: Text = BoundedText(max_length=64)
    image: Bytes = models.BinaryField()
    at: Moment = models.DateTimeField()
    operator: Text = BoundedText(max_length=20)


class Merge(models.Model):
    """A person who was on the books twice: `merged` is a name for `survivor` from then on."""

    merged: models.OneToOneField[Holder, Holder] = models.OneToOneField(Holder, models.PROTECT, related_name="merge")
    survivor: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="merged_in")
    at: Moment = models.DateTimeField()
    request_id: Uuid = models.UUIDField()

    class Meta:
        constraints = (models.CheckConstraint(condition=~Q(merged=F("survivor")), name="merged_into_another"),)


class Approval(models.Model):
    """A dangerous step that somebody asked for; it waits for a second person until it expires.

    `content` is what was asked, `concerns` the holders whom it concerns. A purge wipes both.
    """

    approval_id: Uuid = models.UUIDField(primary_key=True)
    action: Text = BoundedText(max_length=40)
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    content: Json = models.JSONField()
    concerns: Json = models.JSONField()
    reason: Text = BoundedText(max_length=200)
    asked_by: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
    expires_at: Moment = models.DateTimeField()


class ApprovalDecision(models.Model):
    """What the second person said; once, and only ever added."""

    approval: models.OneToOneField[Approval, Approval] = models.OneToOneField(
        Approval, models.PROTECT, primary_key=True, related_name="decision"
    )
    approved: Flag = models.BooleanField()
    decided_by: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
    why: Text = BoundedText(max_length=200, blank=True)
