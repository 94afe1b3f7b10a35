"""Activations between books and chip, and what was shown, measured and copied for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from kaguan.cms.models.cards import Card
from kaguan.cms.models.people import Holder
from kaguan.cms.models.places import Institution, Region
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Bytes, Flag, Json, Moment, OptionalMoment, Text, Uuid, Whole


class Activation(models.Model):
    """One activation, under the id of the request that began it; `phase` is open, done or cancelled.

    `chip_slot` is the insurance record that is written, `chip_before` and `chip_after` its text; without a card in a
    reader the slot is 0 and the record is owed until the card is next in one.
    """

    activation_id: Uuid = models.UUIDField(primary_key=True)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="activations")
    way: Text = BoundedText(max_length=30)
    phase: Text = BoundedText(max_length=9)
    evidence: Json = models.JSONField(default=dict)
    chip_slot: Whole = models.BigIntegerField(default=0)
    chip_before: Text = BoundedText(max_length=200, blank=True)
    chip_after: Text = BoundedText(max_length=200, blank=True)
    chip_written_at: OptionalMoment = models.DateTimeField(null=True)
    operator: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
    ended_at: OptionalMoment = models.DateTimeField(null=True)
    why: Text = BoundedText(max_length=200, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(phase__in=["open", "done", "cancelled"]), name="known_phase"),
            models.UniqueConstraint(fields=["card"], condition=Q(phase="open"), name="one_open_activation"),
        )


class Verifier(models.Model):
    """A device or service that compares faces or fingerprints and signs what it found (Ed25519, key in hex).

    Scores are parts of a thousand; a verdict under `least_score` does not pass.
    """

    code: Text = BoundedText(max_length=20, primary_key=True)
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    checks: Json = models.JSONField(default=list)
    public_key: Text = BoundedText(max_length=64)
    least_score: Whole = models.BigIntegerField()
    active: Flag = models.BooleanField(default=True)


class VerifierVerdict(models.Model):
    """What a verifier found about the person with a card; each verdict serves once."""

    verifier: models.ForeignKey[Verifier, Verifier] = models.ForeignKey(Verifier, models.PROTECT)
    verdict_id: Text = BoundedText(max_length=40)
    check_kind: Text = BoundedText(max_length=20)
    score: Whole = models.BigIntegerField()
    measured_at: Moment = models.DateTimeField()
    activation: models.ForeignKey[Activation, Activation] = models.ForeignKey(
        Activation, models.PROTECT, related_name="verdicts"
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=["verifier", "verdict_id"], name="a_verdict_serves_once"),)


class DocumentCopy(models.Model):
    """A copy of a document, sealed for the archive before it came here; `digest` is SHA-256 of the copy itself."""

    activation: models.ForeignKey[Activation, Activation] = models.ForeignKey(
        Activation, models.PROTECT, related_name="copies"
    )
    document: Text = BoundedText(max_length=40)
    digest: Text = BoundedText(max_length=64)
    sealed: Bytes = models.BinaryField()


class OldCardSeen(models.Model):
    """An old medical card that was in a pharmacy's reader, waiting for its holder's new one."""

    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT)
    old_card_no: Text = BoundedText(max_length=20)
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    terminal_no: Text = BoundedText(max_length=12)
    at: Moment = models.DateTimeField()
    used_at: OptionalMoment = models.DateTimeField(null=True)
