"""Take finished cards into stock from the bureau's return file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kaguan.cms.models import Card, StockItem
from kaguan.cms.rules.chips import check_chip_numbers
from kaguan.cms.rules.production import PRODUCTION, Production
from kaguan.cms.rules.refusals import DuplicateRequest, NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case
from kaguan.personalization.order.returnfile import ReturnRow


@dataclass(frozen=True, slots=True)
class StockReceipt:
    """How many cards an institution took into stock."""

    institution: str
    card_count: int


@use_case("receive stock", Right.RECEIVE, StockReceipt)
def receive_stock(case: Case, /, *, rows: Sequence[ReturnRow], outlet: str = "") -> StockReceipt:
    """Leave every card of the file in the custody of `outlet` (the actor's own institution if not given).

    Refuses the whole file at its first bad row, in this order: card not ordered, card of another person, returned
    with another chip, another bank card, identification code and ATR out of form or of two chips, either of them
    used, card not awaited any more.
    """
    keeper = case.find_institution(outlet) if outlet else case.institution
    if not rows:
        raise NotEligible("the return file has no rows")
    for number, row in enumerate(rows, start=1):
        card = take_chip_numbers(case, row, number, "receive")
        StockItem.objects.create(
            card=card,
            institution=keeper,
            task_id=row.task_id,
            data_seq=row.data_seq,
            barcode=row.barcode,
            bank_voucher_no=row.bank_voucher_no,
            received_at=case.at,
        )
    case.note(institution=keeper.code, card_count=len(rows))
    return StockReceipt(keeper.code, len(rows))


def take_chip_numbers(case: Case, row: ReturnRow, number: int, event: str) -> Card:
    """Leave the row's card one step further on the production axis, with its chip's numbers; return it."""
    card = _awaited(case, row, number)
    case.step(card, PRODUCTION, event, case.circumstances(card))
    Card.objects.filter(pk=card.pk).update(
        card_ident_code=row.card_ident_code, atr=row.atr, bank_card_no=row.bank_card_no or card.bank_card_no
    )
    return card


def _awaited(case: Case, row: ReturnRow, number: int) -> Card:
    locked = Card.objects.select_for_update(no_key=True).select_related("holder")
    card = locked.filter(pk=row.card_no, region__in=case.regions).first()
    if card is None:
        raise NotEligible(f"row {number}: card {row.card_no} was never ordered")
    if (card.holder.cert_no, card.holder.name) != (row.cert_no, row.name):
        raise NotEligible(f"row {number}: card {row.card_no} was ordered for another person")
    if card.production == Production.RETURNED and card.card_ident_code != row.card_ident_code:
        raise NotEligible(f"row {number}: card {row.card_no} was returned with another chip")
    if card.bank_card_no and row.bank_card_no and card.bank_card_no != row.bank_card_no:
        raise NotEligible(f"row {number}: card {row.card_no} was ordered for another bank card")
    _check_chip(row, number)
    return card


def _check_chip(row: ReturnRow, number: int) -> None:
    try:
        check_chip_numbers(row.card_ident_code, row.atr)
    except NotEligible as refusal:
        raise NotEligible(f"row {number}: {refusal}") from None
    others = Card.objects.exclude(pk=row.card_no)
    if others.filter(card_ident_code=row.card_ident_code).exists():
        raise DuplicateRequest(f"row {number}: identification code {row.card_ident_code} belongs to another card")
    if others.filter(atr=row.atr).exists():
        raise DuplicateRequest(f"row {number}: ATR {row.atr} belongs to another card")
