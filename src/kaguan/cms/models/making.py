"""What the making of a card is bound to: by when an order has to be done, and what its holder pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.cards import Card, CardOrder
from kaguan.cms.models.people import Holder
from kaguan.cms.models.places import Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.fees import FeeKind, FeeState

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Moment, OptionalMoment, Text, Uuid, Whole


class OrderDeadline(models.Model):
    """By when the cards of an order have to be at their outlet, as the region's rules said when it was ordered."""

    order: models.OneToOneField[CardOrder, CardOrder] = models.OneToOneField(
        CardOrder, models.PROTECT, primary_key=True, related_name="deadline"
    )
    urgency: Text = BoundedText(max_length=7, choices=[(one.value, one.value) for one in Urgency])
    due_at: Moment = models.DateTimeField()


class CardFee(models.Model):
    """What a holder pays for a card, in fen: registered, then paid, then spent on the card that it was for.

    `replaces` is the card whose place the new one takes, none for a first one.
    """

    fee_id: Uuid = models.UUIDField(primary_key=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="card_fees")
    holder_id: int
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    kind: Text = BoundedText(max_length=40, choices=[(one.value, one.value) for one in FeeKind])
    replaces: models.ForeignKey[Card | None, Card | None] = models.ForeignKey(
        Card, models.PROTECT, null=True, related_name="fees_for_successor"
    )
    amount_fen: Whole = models.BigIntegerField()
    state: Text = BoundedText(max_length=9, default=FeeState.DUE.value)
    receipt_no: Text = BoundedText(max_length=40, blank=True)
    registered_by: Text = BoundedText(max_length=20)
    at: Moment = models.DateTimeField()
    paid_by: Text = BoundedText(max_length=20, blank=True)
    paid_at: OptionalMoment = models.DateTimeField(null=True)
    card: models.OneToOneField[Card | None, Card | None] = models.OneToOneField(
        Card, models.PROTECT, null=True, related_name="fee"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["holder"],
                condition=models.Q(state__in=[FeeState.DUE.value, FeeState.PAID.value]),
                name="one_open_fee_a_holder",
            ),
            models.CheckConstraint(condition=models.Q(amount_fen__gt=0), name="a_fee_is_above_zero"),
            models.CheckConstraint(
                condition=models.Q(state__in=[one.value for one in FeeState]), name="known_fee_state"
            ),
            models.CheckConstraint(
                condition=models.Q(state=FeeState.SPENT.value, card__isnull=False)
                | (~models.Q(state=FeeState.SPENT.value) & models.Q(card=None)),
                name="a_fee_is_spent_on_a_card",
            ),
        )
