"""What proves what was done: receipts of requests and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Json, Moment, Text, Uuid, Whole


class Receipt(models.Model):
    """The result of a request under the id that its client made, so that asking again gives the same answer.

    `fingerprint` is SHA-256 over what was asked, never the asked values themselves.
    """

    request_id: Uuid = models.UUIDField()
    action: Text = BoundedText(max_length=40)
    fingerprint: Text = BoundedText(max_length=64)
    result: Json = models.JSONField()
    at: Moment = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["request_id", "action"], name="one_receipt_a_request"),)


class AuditEntry(models.Model):
    """One line of the audit log; `hash` covers the line and the hash of the line before."""

    sequence: Whole = models.BigIntegerField(primary_key=True)
    at: Moment = models.DateTimeField()
    operator: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    action: Text = BoundedText(max_length=40)
    request_id: Uuid = models.UUIDField()
    outcome: Text = BoundedText(max_length=40)
    detail: Json = models.JSONField()
    previous_hash: Text = BoundedText(max_length=64)
    hash: Text = BoundedText(max_length=64)
