"""Cards in the making: stages told, the bureau's return file taken, and stock received at an outlet."""

from __future__ import annotations

from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.routes.custody import CardNumbers
from kaguan.cms.api.routes.orders import MOST_ROWS
from kaguan.cms.api.shapes import CardNo, CertNo, OptionalCode, PersonName, Strict, text
from kaguan.cms.rules.production import Report
from kaguan.cms.services import production, stock
from kaguan.cms.services.production import LONGEST_REASON_BYTES, StageReceipt
from kaguan.cms.services.stock import StockReceipt
from kaguan.personalization.order.returnfile import ReturnRow

router: Final = Router(tags=["production"])

_Number = Annotated[str, text(32, shortest=0)]


class StageTold(Strict):
    """Which cards, which step, and for a failure why."""

    card_nos: CardNumbers
    report: Report
    why: Annotated[str, text(LONGEST_REASON_BYTES, shortest=0)] = ""


class CardMade(Strict):
    """A row of the bureau's good return file: a card with its chip; numbers of the chip in hex."""

    task_id: Annotated[str, text(32)]
    data_seq: Annotated[str, text(12)]
    customer_id: _Number = ""
    name: PersonName
    cert_no: CertNo
    card_no: CardNo
    barcode: _Number = ""
    card_ident_code: Annotated[str, Field(pattern=r"^[0-9A-F]{32}$")]
    atr: Annotated[str, Field(pattern=r"^([0-9A-F]{2}){2,33}$")]
    bank_card_no: OptionalCode = ""
    bank_voucher_no: _Number = ""

    def row(self) -> ReturnRow:
        """Return it as use cases take it."""
        return ReturnRow(**self.model_dump())


class CardsMade(Strict):
    """What the bureau returned."""

    rows: Annotated[list[CardMade], Field(min_length=1, max_length=MOST_ROWS)]


class StockReceived(CardsMade):
    """What arrived, and at which institution; at one's own, when none is named."""

    outlet: OptionalCode = ""


@router.post("/production/stages", response=answers(StageReceipt), operation_id="report_stage")
def report_stage(request: HttpRequest, key: Key, body: StageTold) -> StageReceipt:
    """Tell that cards reached the next stage together, or failed there."""
    return production.report_stage(*asks_for(request, key), card_nos=body.card_nos, report=body.report, why=body.why)


@router.post("/production/returns", response=answers(StageReceipt), operation_id="take_return")
def take_return(request: HttpRequest, key: Key, body: CardsMade) -> StageReceipt:
    """Take the bureau's good return file, whole or not at all: the cards are on their way to an outlet."""
    return production.take_return(*asks_for(request, key), rows=[made.row() for made in body.rows])


@router.post("/stock/receipts", response=answers(StockReceipt), operation_id="receive_stock")
def receive_stock(request: HttpRequest, key: Key, body: StockReceived) -> StockReceipt:
    """Take finished cards into custody, whole or not at all."""
    return stock.receive_stock(*asks_for(request, key), rows=[made.row() for made in body.rows], outlet=body.outlet)
