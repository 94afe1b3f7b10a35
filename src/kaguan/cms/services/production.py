"""A card on its way: ordered from checked requests, batched, sent to bank and bureau, made, returned, or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from kaguan.cms.models import Card, CardOrder, CardRequest
from kaguan.cms.rules.applying import RequestKind
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.guards import Circumstances
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import FAILURES, PRODUCTION, Production, Report
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.fee_books import paid_fee, spend
from kaguan.cms.services.orders import FEE_OF, Ending, OrderReceipt, OrderRow, add_card, link, make_room, open_order
from kaguan.cms.services.requests import ENDING_OF, locked_request
from kaguan.cms.services.stock import take_chip_numbers
from kaguan.cms.services.use_case import use_case
from kaguan.personalization.order.returnfile import ReturnRow

LONGEST_REASON_BYTES: Final = 50
"""The room that return files have for why a card failed."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """The card that a checked request becomes."""

    card_request_id: UUID
    card_no: str
    issue_date: date
    valid_until: date
    bank_card_no: str = ""


@dataclass(frozen=True, slots=True)
class StageReceipt:
    """How many cards reached a stage together."""

    stage: str
    card_count: int


@use_case("order requests", Right.ORDER, OrderReceipt)
def order_requests(
    case: Case, /, *, order_no: str, rows: Sequence[RequestRow], urgency: Urgency = Urgency.NORMAL
) -> OrderReceipt:
    """Leave a card ordered for every checked request; what it replaces, or what was sealed, is cancelled with it.

    Refuses the whole order at its first bad row, in this order: order number used, no rows; no such request, own
    request, not checked, old card as `make_room`, fee not paid, card number used, bank not of the region, valid too
    long.
    """
    kind = "new"
    order = open_order(case, order_no, kind, len(rows), urgency)
    for number, row in enumerate(rows, start=1):
        kind = _order_request(case, order, row, where=f"row {number}: ") or kind
    CardOrder.objects.filter(pk=order.pk).update(kind=kind)
    case.note(order_no=order_no, card_count=len(rows))
    return OrderReceipt(order_no, len(rows))


def _order_request(case: Case, order: CardOrder, row: RequestRow, *, where: str) -> str:
    """Leave the request's card ordered; return the kind of order that it makes, when that is not a new one's."""
    request = locked_request(case, row.card_request_id)
    case.allow(PRODUCTION, request.stage, "order", Circumstances())
    olds = _cards_in_the_way(request)
    for old in olds:
        make_room(case, old, _ending(request), request.reason if request.replaces else "")
    holder = request.holder
    fee = paid_fee(case, holder, FEE_OF[_ending(request)], request.replaces, reason=request.reason, where=where)
    asked = OrderRow(
        card_no=row.card_no,
        cert_type=holder.cert_type,
        cert_no=holder.cert_no,
        name=holder.name,
        bank_code=request.bank_code,
        bank_card_no=row.bank_card_no,
        issue_date=row.issue_date,
        valid_until=row.valid_until,
    )
    card = add_card(case, order, holder, asked, where=where, from_stage=request.stage)
    spend(fee, card)
    for old in olds:
        link(case, old, card)
    CardRequest.objects.filter(pk=request.pk).update(card=card, stage=Production.ORDERED, stage_since=case.at)
    return "replacement" if request.replaces else ""


def _cards_in_the_way(request: CardRequest) -> list[Card]:
    locked = Card.objects.select_for_update(no_key=True)
    if request.replaces is not None:
        return [locked.get(pk=request.replaces.pk)]
    return list(locked.filter(holder=request.holder, application=Application.SEALED, replaced_by=None)[:1])


def _ending(request: CardRequest) -> Ending:
    return ENDING_OF[RequestKind(request.kind)] if request.replaces else Ending.APPLY_AGAIN


@use_case("report stage", Right.RECEIVE, StageReceipt)
def report_stage(case: Case, /, *, card_nos: Sequence[str], report: Report, why: str = "") -> StageReceipt:
    """Leave all the cards one stage further, or failed there; every step asks for its own right besides.

    Refuses all at the first bad one, in this order: no cards, a failure without reason or one too long for a return
    file; no such card, own card, stage.
    """
    if not card_nos:
        raise NotEligible("no cards are named")
    if (report in FAILURES) != bool(why.strip()):
        raise NotEligible(f"{report} tells {'no reason: say why' if report in FAILURES else 'of no failure'}")
    if len(why.encode()) > LONGEST_REASON_BYTES:
        raise NotEligible(f"a reason has at most {LONGEST_REASON_BYTES} bytes")
    stage = ""
    for card_no in sorted(set(card_nos)):
        card = case.card(card_no)
        detail = {"why": why} if why else {}
        case.step(card, PRODUCTION, report, case.circumstances(card), reason="", **detail)
        stage = card.production
    case.note(report=report.value, card_count=len(set(card_nos)))
    return StageReceipt(stage, len(set(card_nos)))


@use_case("take return", Right.RECEIVE, StageReceipt)
def take_return(case: Case, /, *, rows: Sequence[ReturnRow]) -> StageReceipt:
    """Leave every card of the bureau's good return file returned, with its chip's numbers, on its way to an outlet.

    Refuses the whole file at its first bad row, as `receive_stock`.
    """
    if not rows:
        raise NotEligible("the return file has no rows")
    for number, row in enumerate(rows, start=1):
        take_chip_numbers(case, row, number, "return")
    case.note(card_count=len(rows))
    return StageReceipt(Production.RETURNED, len(rows))
