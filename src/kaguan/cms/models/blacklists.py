"""The blacklist of cards (黑名单): each change under a number of its own, and what terminals were given.

Law. A change of the list is written in the transaction that is its cause.
Law. Numbers rise in each region, and a list made up to a number has everything below it. They may leave gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card
from kaguan.cms.models.places import Region, Terminal
from kaguan.cms.models.texts import BoundedText

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, Text, Uuid, Whole


class BlacklistChange(models.Model):
    """A card came onto its region's list, left it (cause `unlocked`), or stands there for another cause."""

    # the index below begins with the region
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT, db_index=False)
    sequence: Whole = models.BigAutoField(primary_key=True)
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="blacklist_changes")
    cause: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["region", "sequence"], name="changes_of_a_region"),)


class BlacklistPush(models.Model):
    """A list that was made for a terminal: everything up to a number, or what came after another one."""

    push_id: Uuid = models.UUIDField(primary_key=True)
    terminal: models.ForeignKey[Terminal, Terminal] = models.ForeignKey(
        Terminal, models.PROTECT, related_name="blacklist_pushes"
    )
    since: Whole = models.BigIntegerField()
    sequence: Whole = models.BigIntegerField()
    operator: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
