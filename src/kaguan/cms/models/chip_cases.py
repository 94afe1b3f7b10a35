"""Cases: where a chip and the books disagree, or where a step with a chip was begun and nobody knows how it ended.

Law. A case is settled once, and stays on record with how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from kaguan.cms.models.cards import Card
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.chip_state import Facet

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, OptionalMoment, OptionalUuid, Text, Uuid, Whole


class ChipCase(models.Model):
    """One thing about one chip that waits to be explained; a step's case has the id of the request that began it.

    `books` and `chip` are what each said last, `more_fen` by how much the chip's purse had more, at sighting number
    `sightings`. `approval` is what two people agreed on; without one the chip itself has settled it.
    """

    case_id: Uuid = models.UUIDField(primary_key=True)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="chip_cases")
    facet: Text = BoundedText(max_length=30)
    step: Text = BoundedText(max_length=30)
    books: Text = BoundedText(max_length=300)
    chip: Text = BoundedText(max_length=300)
    more_fen: Whole = models.BigIntegerField(default=0)
    operator: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    terminal_no: Text = BoundedText(max_length=12, blank=True)
    at: Moment = models.DateTimeField()
    seen_at: Moment = models.DateTimeField()
    sightings: Whole = models.BigIntegerField(default=1)
    state: Text = BoundedText(max_length=7, default="open")
    settled_at: OptionalMoment = models.DateTimeField(null=True)
    settled_by: Text = BoundedText(max_length=20, blank=True)
    why: Text = BoundedText(max_length=200, blank=True)
    approval: OptionalUuid = models.UUIDField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(state__in=["open", "settled"]), name="known_case_state"),
            models.CheckConstraint(condition=Q(facet__in=sorted(facet.value for facet in Facet)), name="known_facet"),
            models.CheckConstraint(
                condition=Q(state="open", settled_at=None) | Q(state="settled", settled_at__isnull=False),
                name="settled_at_some_time",
            ),
            models.UniqueConstraint(fields=["card", "facet"], condition=Q(state="open"), name="one_open_case_a_facet"),
        )
        indexes = (models.Index(fields=["state", "at"], name="cases_by_state"),)
