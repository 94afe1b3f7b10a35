"""Cards, orders for them, their stock, and every event in their lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.models.people import Holder
from kaguan.cms.models.places import Institution, Region
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.deadlines import STILL_AWAITED
from kaguan.cms.rules.lifecycle import Application, BankFunction, Pin
from kaguan.cms.rules.production import IN_REQUEST, Production

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Day, Json, Moment, OptionalMoment, OptionalText, Text, Uuid, Whole


class CardOrder(models.Model):
    """A batch of cards asked for at the bureau."""

    order_no: Text = BoundedText(max_length=40, primary_key=True)
    kind: Text = BoundedText(max_length=11, choices=[("new", "new"), ("replacement", "replacement")])
    ordered_by: Text = BoundedText(max_length=20)
    ordered_at: Moment = models.DateTimeField()
    card_count: Whole = models.BigIntegerField()


class Card(models.Model):
    """A card, from its order to its end; the four state columns are the four axes of `rules.lifecycle`.

    `card_ident_code` and `atr` are absent until the bureau has made the card; no two cards share either.
    `chip_blocked_at` is when a lost or cancelled card's chip was made harmless, by block or by blacklist.
    """

    card_no: Text = BoundedText(max_length=20, primary_key=True)
    card_ident_code: OptionalText = BoundedText(max_length=32, null=True, unique=True)
    atr: Text = BoundedText(max_length=66, blank=True)
    holder: models.ForeignKey[Holder, Holder] = models.ForeignKey(Holder, models.PROTECT, related_name="cards")
    holder_id: int
    # the indexes by application begin with the region
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT, db_index=False)
    order: models.ForeignKey[CardOrder, CardOrder] = models.ForeignKey(CardOrder, models.PROTECT, related_name="cards")
    bank_code: Text = BoundedText(max_length=15)
    bank_card_no: Text = BoundedText(max_length=20, blank=True)
    production: Text = BoundedText(max_length=2, default=Production.ORDERED.value)
    application: Text = BoundedText(max_length=1, default=Application.NOT_ENABLED.value)
    bank_function: Text = BoundedText(max_length=1, default=BankFunction.INACTIVE.value)
    pin: Text = BoundedText(max_length=1, default=Pin.INITIAL.value)
    issue_date: Day = models.DateField()
    valid_until: Day = models.DateField()
    chip_blocked_at: OptionalMoment = models.DateTimeField(null=True)
    replaced_by: models.OneToOneField[Card | None, Card | None] = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="replaces"
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(production__in=sorted(state.value for state in set(Production) - IN_REQUEST)),
                name="known_production",
            ),
            models.CheckConstraint(condition=models.Q(application__in=list(Application)), name="known_application"),
            models.CheckConstraint(
                condition=models.Q(bank_function__in=list(BankFunction)), name="known_bank_function"
            ),
            models.CheckConstraint(condition=models.Q(pin__in=list(Pin)), name="known_pin"),
            models.CheckConstraint(
                condition=models.Q(valid_until__gt=models.F("issue_date")), name="valid_for_a_while"
            ),
            models.UniqueConstraint(fields=["atr"], condition=~models.Q(atr=""), name="one_card_an_atr"),
        )
        # The clock walks by these through the cards of a region.
        indexes = (
            models.Index(fields=["region", "application", "card_no"], name="cards_by_application"),
            models.Index(fields=["region", "application", "valid_until", "card_no"], name="cards_by_end"),
            models.Index(
                fields=["region", "card_no"],
                condition=models.Q(bank_function=BankFunction.TEMPORARY_LOSS.value),
                name="cards_by_bank_loss",
            ),
            # Overdue orders are those with cards that are still awaited.
            models.Index(
                fields=["region", "order"],
                condition=models.Q(production__in=sorted(state.value for state in STILL_AWAITED)),
                name="cards_awaited",
            ),
        )


class StockItem(models.Model):
    """The physical card in somebody's custody; `handed_over_at` ends the custody.

    `keeper` is the operator who answers for it, none as long as it is the institution's; `offered_to` the one who
    has not taken it over yet. `cabinet` and `position` say where it lies.
    """

    card: models.OneToOneField[Card, Card] = models.OneToOneField(Card, models.PROTECT, related_name="stock_item")
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    task_id: Text = BoundedText(max_length=32)
    data_seq: Text = BoundedText(max_length=12)
    barcode: Text = BoundedText(max_length=32, blank=True)
    bank_voucher_no: Text = BoundedText(max_length=32, blank=True)
    received_at: Moment = models.DateTimeField()
    handed_over_at: OptionalMoment = models.DateTimeField(null=True)
    keeper: Text = BoundedText(max_length=20, blank=True)
    offered_to: Text = BoundedText(max_length=20, blank=True)
    cabinet: Text = BoundedText(max_length=20, blank=True)
    position: Text = BoundedText(max_length=20, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["institution", "cabinet", "position"],
                condition=models.Q(handed_over_at=None) & ~models.Q(position=""),
                name="one_card_a_position",
            ),
        )


class CardEvent(models.Model):
    """One step of a card on one axis; rows are only ever added."""

    card: models.ForeignKey[Card, Card] = models.ForeignKey(Card, models.PROTECT, related_name="events")
    at: Moment = models.DateTimeField()
    axis: Text = BoundedText(max_length=20)
    event: Text = BoundedText(max_length=30)
    from_state: Text = BoundedText(max_length=2)
    to_state: Text = BoundedText(max_length=2)
    reason: Text = BoundedText(max_length=4, blank=True)
    detail: Json = models.JSONField(default=dict)
    operator: Text = BoundedText(max_length=20)
    institution: Text = BoundedText(max_length=20)
    request_id: Uuid = models.UUIDField()
