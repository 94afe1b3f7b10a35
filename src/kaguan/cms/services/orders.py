"""Order cards at the bureau: a batch of new ones, or one that takes the place of another.

Law. The old card is cancelled in the very transaction that orders the new one: the two never live together.
Law. The new card is of the same person; account and rights are the person's, so nothing of them moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from django.utils import timezone

from kaguan.cms.models import Card, CardEvent, CardOrder, Departure, Holder, OrderDeadline
from kaguan.cms.rules.approvals import Action
from kaguan.cms.rules.deadlines import Urgency, due_at
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.fees import FeeKind
from kaguan.cms.rules.lifecycle import APPLICATION, Application, CancelReason, ExchangeReason
from kaguan.cms.rules.production import PRODUCTION
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.case import CardState, Case, state_of
from kaguan.cms.services.fee_books import paid_fee, spend
from kaguan.cms.services.lock import end_card
from kaguan.cms.services.use_case import use_case
from kaguan.personalization.order.validity import years_after


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One card of an order, as the card management sent it to the bureau."""

    card_no: str
    cert_type: str
    cert_no: str
    name: str
    bank_code: str
    bank_card_no: str
    issue_date: date
    valid_until: date

    def __repr__(self) -> str:
        """Show the card number only; the rest is personal."""
        return f"OrderRow({self.card_no})"


@dataclass(frozen=True, slots=True)
class OrderReceipt:
    """An order that stands on the books, with the number of its cards."""

    order_no: str
    card_count: int


@use_case("order cards", Right.ORDER, OrderReceipt)
def order_cards(
    case: Case, /, *, order_no: str, rows: Sequence[OrderRow], urgency: Urgency = Urgency.NORMAL
) -> OrderReceipt:
    """Leave a card in state ordered for every row; people not known yet are put on the books.

    Refuses the whole order at its first bad row, in this order: order number used, no rows, card number used,
    own card, name differs from the books, person has an open card, fee not paid, bank not of the region, valid too
    long.
    """
    case.note(order_no=order_no, card_count=len(rows))
    order = open_order(case, order_no, "new", len(rows), urgency)
    for number, row in enumerate(rows, start=1):
        holder = _holder_of(case, row, number)
        still_open = Card.objects.filter(holder=holder).exclude(application=Application.CANCELLED).first()
        if still_open is not None:
            raise NotEligible(f"row {number}: the person has card {still_open.card_no} already")
        fee = paid_fee(case, holder, FeeKind.FIRST, None, where=f"row {number}: ")
        card = add_card(case, order, holder, row, where=f"row {number}: ")
        spend(fee, card)
    return OrderReceipt(order_no, len(rows))


@dataclass(frozen=True, slots=True)
class NewCard:
    """What a card that takes the place of another is ordered with; no bank code means the old card's bank.

    No channel is the usual one of whoever orders.
    """

    card_no: str
    order_no: str
    issue_date: date
    valid_until: date
    bank_card_no: str = ""
    bank_code: str = ""
    urgency: Urgency = Urgency.NORMAL
    channel: Channel | None = None


@use_case("order replacement", Right.REPLACE, CardState)
def order_replacement(case: Case, /, *, card_no: str, new: NewCard) -> CardState:
    """Leave the lost card cancelled and a new one ordered for the same person and bank; return the new one.

    Refuses, in this order: no such card, own card, another bank, channel, needs a second person, replaced already,
    person dead or gone, not formally lost, fee not paid, order or card number used, valid too long.
    """
    return order_again(case, case.card(card_no), Ending.REPLACE, CancelReason.LOST, new)


@use_case("order exchange", Right.REPLACE, CardState)
def order_exchange(case: Case, /, *, card_no: str, reason: ExchangeReason, new: NewCard) -> CardState:
    """Leave the damaged or outdated card cancelled and a new one ordered for the same person; return the new one.

    Refuses, in this order: no such card, own card, another bank without that reason, channel, needs a second person,
    replaced already, person dead or gone, card state, reason, fee not paid; order or card number used, bank not of the
    region, valid too long.
    """
    return order_again(case, case.card(card_no), Ending.EXCHANGE, reason, new)


@use_case("order renewal", Right.REPLACE, CardState)
def order_renewal(case: Case, /, *, card_no: str, new: NewCard) -> CardState:
    """Leave a card near or past its last day cancelled and a new one ordered for the same person; return the new one.

    Refuses, in this order: no such card, own card, channel, needs a second person, replaced already, person dead or
    gone, card state, too early, order or card number used, valid too long.
    """
    return order_again(case, case.card(card_no), Ending.RENEW, "", new)


class Ending(StrEnum):
    """By which step of the application axis an old card makes room for the new one."""

    REPLACE = "replace"
    EXCHANGE = "exchange"
    RENEW = "renew"
    APPLY_AGAIN = "apply_again"


FEE_OF: Final[Mapping[Ending, FeeKind]] = MappingProxyType(
    {
        Ending.REPLACE: FeeKind.LOST,
        Ending.EXCHANGE: FeeKind.EXCHANGED,
        Ending.RENEW: FeeKind.RENEWED,
        Ending.APPLY_AGAIN: FeeKind.FIRST,
    }
)

ENDED_BY_TIME: Final = frozenset({"expire", "mature"})
"""Events that ended a card without anybody asking: what it leaves is still to be replaced."""


def make_room(case: Case, old: Card, ending: Ending, reason: str) -> None:
    """Leave the old card cancelled with its bank function closed; one that time has cancelled stays so.

    Refuses, in this order: replaced already, person dead or gone, card state, guards and reason of that step.
    """
    if old.replaced_by is not None:
        raise DuplicateRequest(f"card {old.card_no} was replaced already, by {old.replaced_by.card_no}")
    departure = Departure.objects.filter(holder=old.holder, revoked_at=None).first()
    if departure is not None:
        raise NotEligible(f"the holder is registered as {departure.kind}: no card follows")
    if was_ended_by_time(old):
        return
    end_card(case, old, ending, case.circumstances(old), reason=reason)


def was_ended_by_time(card: Card) -> bool:
    """Return whether the clock cancelled the card: its validity was over, or its loss was final."""
    ended = CardEvent.objects.filter(card=card, axis=APPLICATION.name, to_state=Application.CANCELLED)
    return card.application == Application.CANCELLED and ended.filter(event__in=ENDED_BY_TIME).exists()


def order_again(case: Case, old: Card, ending: Ending, reason: str, new: NewCard) -> CardState:
    """Leave the old card ended and the new one ordered; refuse as `order_exchange`.

    Law. A card is made again by two people: this is approved by a second one, or it began as a request that somebody
    else checked. A region may leave it to one, who then does not hand the card over.
    """
    if new.bank_code not in {"", old.bank_code} and reason != ExchangeReason.BANK_CHANGED:
        raise NotEligible(f"the bank changes only for reason {ExchangeReason.BANK_CHANGED} BANK_CHANGED")
    rules = old.region.rules()
    case.taken_by(ending, new.channel, rules.replace_channels, rules.name)
    case.check_alone(Action.MAKE_AGAIN)
    make_room(case, old, ending, reason)
    holder = old.holder
    fee = paid_fee(case, holder, FEE_OF[ending], old, reason=reason, where="")
    row = OrderRow(
        card_no=new.card_no,
        cert_type=holder.cert_type,
        cert_no=holder.cert_no,
        name=holder.name,
        bank_code=new.bank_code or old.bank_code,
        bank_card_no=new.bank_card_no,
        issue_date=new.issue_date,
        valid_until=new.valid_until,
    )
    order = open_order(case, new.order_no, "replacement", 1, new.urgency)
    card = add_card(case, order, holder, row, where="")
    spend(fee, card)
    link(case, old, card)
    case.note(order_no=new.order_no)
    return state_of(card)


def link(case: Case, old: Card, new: Card) -> None:
    """Leave on record that the new card took the old one's place."""
    Card.objects.filter(pk=old.pk).update(replaced_by=new)
    case.note(old_card_no=old.card_no, new_card_no=new.card_no)


def open_order(case: Case, order_no: str, kind: str, card_count: int, urgency: Urgency) -> CardOrder:
    """Leave an order on the books, with the moment by which it has to be done.

    Refuses with DuplicateRequest when its number is used, with NotEligible without rows.
    """
    if CardOrder.objects.filter(pk=order_no).exists():
        raise DuplicateRequest(f"order {order_no} is on the books already")
    if not card_count:
        raise NotEligible(f"order {order_no} has no rows")
    order = CardOrder.objects.create(
        order_no=order_no, kind=kind, ordered_by=case.operator.code, ordered_at=case.at, card_count=card_count
    )
    rules = case.institution.region.rules()
    OrderDeadline.objects.create(
        order=order, urgency=urgency, due_at=due_at(rules, urgency, timezone.localtime(case.at))
    )
    return order


def _holder_of(case: Case, row: OrderRow, number: int) -> Holder:
    region = case.institution.region
    # locked: of two orders at once the later one sees the card of the earlier
    holder, _ = Holder.objects.select_for_update(no_key=True).get_or_create(
        region=region, cert_type=row.cert_type, cert_no=row.cert_no, defaults={"name": row.name}
    )
    holder = case.holder(holder.cert_type, holder.cert_no)
    case.check_not_own(holder.pk)
    if holder.name != row.name:
        document = mask_number(row.cert_no)
        raise NotEligible(f"row {number}: the name is not the one that the books have for document {document}")
    return holder


def add_card(case: Case, order: CardOrder, holder: Holder, row: OrderRow, *, where: str, from_stage: str = "") -> Card:
    """Leave a card in state ordered; `where` begins a refusal's text, `from_stage` is where its request stood.

    Refuses, in this order: card number used, bank not of the region, valid too long.
    """
    region = case.institution.region
    rules = region.rules()
    if Card.objects.filter(pk=row.card_no).exists():
        raise DuplicateRequest(f"{where}card number {row.card_no} is used already")
    if rules.banks and row.bank_code not in rules.banks:
        raise NotEligible(f"{where}{row.bank_code!r} is none of the banks of region {region.code}")
    if not row.issue_date < row.valid_until <= years_after(row.issue_date, rules.card_valid_years):
        raise NotEligible(f"{where}a card must be valid for some time and at most {rules.card_valid_years} years")
    card = Card.objects.create(
        card_no=row.card_no,
        holder=holder,
        region=region,
        order=order,
        bank_code=row.bank_code,
        bank_card_no=row.bank_card_no,
        issue_date=row.issue_date,
        valid_until=row.valid_until,
    )
    approved = {"approver": case.approver} if case.approver else {}
    case.tell(card, PRODUCTION.name, "order", from_stage, card.production, order_no=order.order_no, **approved)
    return card
