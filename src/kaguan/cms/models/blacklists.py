"""The blacklist of cards (黑名单): each change under the next number of its region, and what terminals were given.

Law. A change of the list is written in the transaction that is its cause.
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

    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    sequence: Whole = models.BigIntegerField()
    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="blacklist_changes")
    cause: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["region", "sequence"], name="each_blacklist_number_once"),)


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
