"""Order cards at the bureau: a batch of new ones, or one that replaces a lost card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from kaguan.cms.models import Card, CardOrder, Holder, Region
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.lifecycle import APPLICATION, BANK_FUNCTION, Application, BankFunction, CancelReason
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import CardState, Case, state_of
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
def order_cards(case: Case, /, *, order_no: str, rows: Sequence[OrderRow]) -> OrderReceipt:
    """Leave a card in state ordered for every row; people not known yet are put on the books.

    Refuses the whole order at its first bad row, in this order: order number used, no rows, card number used,
    name differs from the books, own card, person has an open card, bank not of the region, valid too long.
    """
    case.note(order_no=order_no, card_count=len(rows))
    order = _open_order(case, order_no, "new", len(rows))
    region = case.institution.region
    for number, row in enumerate(rows, start=1):
        holder = _holder_of(row, number, region)
        case.check_not_own(holder.pk)
        still_open = Card.objects.filter(holder=holder).exclude(application=Application.CANCELLED).first()
        if still_open is not None:
            raise NotEligible(f"row {number}: the person has card {still_open.card_no} already")
        _add_card(case, order, holder, row, where=f"row {number}: ")
    return OrderReceipt(order_no, len(rows))


@use_case("order replacement", Right.REPLACE, CardState)
def order_replacement(
    case: Case,
    /,
    *,
    card_no: str,
    new_card_no: str,
    order_no: str,
    issue_date: date,
    valid_until: date,
    bank_card_no: str = "",
) -> CardState:
    """Leave the lost card cancelled and a new one ordered for the same person and bank; return the new one.

    Refuses, in this order: no such card, own card, not formally lost, order or card number used, valid too long.
    """
    old = case.card(card_no)
    circumstances = case.circumstances(old)
    case.step(old, APPLICATION, "replace", circumstances, reason=CancelReason.LOST)
    if old.bank_function != BankFunction.CLOSED:
        case.step(old, BANK_FUNCTION, "close", circumstances)
    holder = old.holder
    row = OrderRow(
        card_no=new_card_no,
        cert_type=holder.cert_type,
        cert_no=holder.cert_no,
        name=holder.name,
        bank_code=old.bank_code,
        bank_card_no=bank_card_no,
        issue_date=issue_date,
        valid_until=valid_until,
    )
    new = _add_card(case, _open_order(case, order_no, "replacement", 1), holder, row, where="")
    Card.objects.filter(pk=old.pk).update(replaced_by=new)
    case.note(new_card_no=new_card_no, order_no=order_no)
    return state_of(new)


def _open_order(case: Case, order_no: str, kind: str, card_count: int) -> CardOrder:
    if CardOrder.objects.filter(pk=order_no).exists():
        raise DuplicateRequest(f"order {order_no} is on the books already")
    if not card_count:
        raise NotEligible(f"order {order_no} has no rows")
    return CardOrder.objects.create(
        order_no=order_no, kind=kind, ordered_by=case.operator.code, ordered_at=case.at, card_count=card_count
    )


def _holder_of(row: OrderRow, number: int, region: Region) -> Holder:
    # locked: of two orders at once the later one sees the card of the earlier
    holder, _ = Holder.objects.select_for_update(no_key=True).get_or_create(
        cert_type=row.cert_type, cert_no=row.cert_no, defaults={"name": row.name, "region": region}
    )
    if holder.name != row.name:
        document = mask_number(row.cert_no)
        raise NotEligible(f"row {number}: the name is not the one that the books have for document {document}")
    return holder


def _add_card(case: Case, order: CardOrder, holder: Holder, row: OrderRow, *, where: str) -> Card:
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
    case.tell(card, "production", "order", "", card.production, order_no=order.order_no)
    return card
