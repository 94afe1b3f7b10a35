"""How people prove who they are, and for how long that is believed.

Law. Passwords stand here as slow hashes, session tokens as digests, second factors sealed: none of them opens a door.
Law. An operator, or a holder, has at most one open session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from kaguan.cms.models.people import Holder, Operator
from kaguan.cms.models.places import Institution
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Day, Flag, Moment, OptionalMoment, Text, Whole


class Credential(models.Model):
    """An operator's password and second factor, and the failures since the last success."""

    operator: models.OneToOneField[Operator, Operator] = models.OneToOneField(
        Operator, models.PROTECT, primary_key=True, related_name="credential"
    )
    password: Text = BoundedText(max_length=160)
    changed_at: Moment = models.DateTimeField()
    must_change: Flag = models.BooleanField(default=True)
    failures: Whole = models.BigIntegerField(default=0)
    locked_until: OptionalMoment = models.DateTimeField(null=True)
    second_factor: Text = BoundedText(max_length=200, blank=True)
    second_factor_step: Whole = models.BigIntegerField(default=0)


class FormerPassword(models.Model):
    """The hash of a password that the operator had, so that it is not taken again soon."""

    operator: models.ForeignKey[Operator, Operator] = models.ForeignKey(
        Operator, models.PROTECT, related_name="former_passwords"
    )
    password: Text = BoundedText(max_length=160)


class HolderCredential(models.Model):
    """A holder's own password; without one the initial passwords count."""

    holder: models.OneToOneField[Holder, Holder] = models.OneToOneField(
        Holder, models.PROTECT, primary_key=True, related_name="credential"
    )
    password: Text = BoundedText(max_length=160, blank=True)
    failures: Whole = models.BigIntegerField(default=0)
    locked_until: OptionalMoment = models.DateTimeField(null=True)


class SourceFailures(models.Model):
    """How often signing in from one address failed since it last succeeded there, whoever tried to be whom."""

    source: Text = BoundedText(max_length=64, primary_key=True)
    failures: Whole = models.BigIntegerField(default=0)
    locked_until: OptionalMoment = models.DateTimeField(null=True)


class Session(models.Model):
    """A signed-in operator or holder, under the SHA-256 of a token that only they have."""

    digest: Text = BoundedText(max_length=64, primary_key=True)
    operator: models.ForeignKey[Operator | None, Operator | None] = models.ForeignKey(
        Operator, models.PROTECT, null=True, related_name="sessions"
    )
    holder: models.ForeignKey[Holder | None, Holder | None] = models.ForeignKey(
        Holder, models.PROTECT, null=True, related_name="sessions"
    )
    source: Text = BoundedText(max_length=64)
    begun_at: Moment = models.DateTimeField()
    seen_at: Moment = models.DateTimeField()
    ended_at: OptionalMoment = models.DateTimeField(null=True)
    why_ended: Text = BoundedText(max_length=20, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(operator=None, holder__isnull=False) | Q(operator__isnull=False, holder=None),
                name="session_of_one",
            ),
            models.UniqueConstraint(fields=["operator"], condition=Q(ended_at=None), name="one_session_an_operator"),
            models.UniqueConstraint(fields=["holder"], condition=Q(ended_at=None), name="one_session_a_holder"),
        )


class DayClose(models.Model):
    """A business day that an institution has closed, and who opened it again, if anybody."""

    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    day: Day = models.DateField()
    closed_at: Moment = models.DateTimeField()
    closed_by: Text = BoundedText(max_length=20)
    reopened_at: OptionalMoment = models.DateTimeField(null=True)
    reopened_by: Text = BoundedText(max_length=20, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["institution", "day"], condition=Q(reopened_at=None), name="closed_once_a_day"
            ),
        )
