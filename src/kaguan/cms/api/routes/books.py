"""The books: premiums credited, and transfers that neither books nor chip can explain, ended by two people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.paging import Cursor, Limit, Page, id_after, page_of
from kaguan.cms.api.shapes import Fen, PersonNamed, Strict, Words
from kaguan.cms.services import contributions, reconciliation
from kaguan.cms.services.contributions import Credited
from kaguan.cms.services.reconciliation import AskedReconciliation, OpenReconciliation, Outcome
from kaguan.cms.services.reservation import Resolution

router: Final = Router(tags=["books"])

Month = Annotated[str, Field(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$", description="As in 2026-01.")]


class Premium(PersonNamed):
    """Whose premium of which month, on which base."""

    month: Month
    base_fen: Fen


class ReconciliationWanted(Strict):
    """How an open transfer is to end, why, and what shows it."""

    transfer_id: UUID
    outcome: Outcome
    reason: Words
    evidence: Words


@router.post("/contributions", response=answers(Credited), operation_id="credit_contribution")
def credit(request: HttpRequest, key: Key, body: Premium) -> Credited:
    """Share a month's premium out between personal account and pool, once a person and month."""
    return contributions.credit_contribution(
        *asks_for(request, key),
        cert_type=body.cert_type,
        cert_no=body.cert_no,
        month=date.fromisoformat(f"{body.month}-01"),
        base_fen=body.base_fen,
    )


@router.post("/reconciliations", response=answers(AskedReconciliation), operation_id="ask_reconciliation")
def ask(request: HttpRequest, key: Key, body: ReconciliationWanted) -> AskedReconciliation:
    """Ask for an open transfer to end; the key becomes the reconciliation's id."""
    return reconciliation.ask_reconciliation(*asks_for(request, key), **body.model_dump())


@router.get("/reconciliations", response=answers(Page[OpenReconciliation]), operation_id="open_reconciliations")
def waiting(request: HttpRequest, cursor: Cursor = "", limit: Limit = 50) -> Page[OpenReconciliation]:
    """List what waits for approval about cards in reach, oldest first."""
    asked = reconciliation.open_reconciliations(*asks_for(request, uuid4()), after=id_after(cursor), most=limit + 1)
    return page_of(asked, limit, lambda one: one.reconciliation_id)


@router.post(
    "/reconciliations/{reconciliation_id}/approval",
    response=answers(Resolution),
    operation_id="approve_reconciliation",
)
def approve(request: HttpRequest, reconciliation_id: UUID, key: Key) -> Resolution:
    """Approve, and have the transfer ended."""
    return reconciliation.approve_reconciliation(*asks_for(request, key), reconciliation_id=reconciliation_id)
