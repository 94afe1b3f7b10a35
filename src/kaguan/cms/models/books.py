"""The books: accounts, transfers and entries, in whole fen.

Law. An entry moves a positive amount from one account to another, so the sum over all accounts stays zero.
Law. Transfers and entries are only ever added; a pending transfer is resolved by another one, at most once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from kaguan.cms.models.people import Holder
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Day, Flag, Json, Moment, Text, Uuid, Whole


class Account(models.Model):
    """One account; its balance is what arrived by entries less what left."""

    code: Text = BoundedText(max_length=40, primary_key=True)
    may_go_negative: Flag = models.BooleanField(default=False)
    balance_fen: Whole = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(may_go_negative=True) | Q(balance_fen__gte=0), name="balance_not_negative"
            ),
        )


class Transfer(models.Model):
    """One movement of money, under the id that its client made before sending.

    `phase` is posted, pending, settled or void; the last two, and a pending one that took over a hold, name
    in `resolves` the pending transfer that they end. `content` is what was asked, `evidence` what proves it
    (a TAC).
    """

    transfer_id: Uuid = models.UUIDField(primary_key=True)
    kind: Text = BoundedText(max_length=30)
    phase: Text = BoundedText(max_length=7)
    resolves: models.OneToOneField[Transfer | None, Transfer | None] = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="resolved_by"
    )
    resolves_id: UUID | None
    content: Json = models.JSONField()
    evidence: Json = models.JSONField(default=dict)
    at: Moment = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(phase="posted", resolves=None)
                | Q(phase="pending")
                | Q(phase__in=["settled", "void"], resolves__isnull=False),
                name="phase_fits_resolves",
            ),
        )


class Entry(models.Model):
    """A positive amount that left one account and arrived in another."""

    transfer: models.ForeignKey[Transfer, Transfer] = models.ForeignKey(
        Transfer, models.PROTECT, related_name="entries"
    )
    source: models.ForeignKey[Account, Account] = models.ForeignKey(Account, models.PROTECT, related_name="departures")
    destination: models.ForeignKey[Account, Account] = models.ForeignKey(
        Account, models.PROTECT, related_name="arrivals"
    )
    amount_fen: Whole = models.BigIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(amount_fen__gt=0), name="entry_above_zero"),
            models.CheckConstraint(condition=~Q(source=F("destination")), name="entry_between_two_accounts"),
        )


class Reconciliation(models.Model):
    """What somebody at the authority found out about an open transfer; another person's approval carries it out.

    `outcome` is settled or void. Rows are only ever added; what was approved stands in the transfer's evidence.
    """

    reconciliation_id: Uuid = models.UUIDField(primary_key=True)
    transfer: models.ForeignKey[Transfer, Transfer] = models.ForeignKey(
        Transfer, models.PROTECT, related_name="reconciliations"
    )
    outcome: Text = BoundedText(max_length=7)
    reason: Text = BoundedText(max_length=200)
    evidence: Text = BoundedText(max_length=1000)
    asked_by: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(outcome__in=["settled", "void"]), name="known_outcome"),)


class Contribution(models.Model):
    """The month's premium of one person; one row a person and month."""

    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT)
    month: Day = models.DateField()
    transfer: models.OneToOneField[Transfer, Transfer] = models.OneToOneField(Transfer, models.PROTECT)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["holder", "month"], name="one_contribution_a_month"),)
