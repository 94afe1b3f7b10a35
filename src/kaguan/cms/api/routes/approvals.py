"""Dangerous steps: asked for by one person, approved or rejected by another."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, WithJsonSchema

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import (
    CardNo,
    Day,
    DocumentShown,
    HolderId,
    MetDemands,
    OptionalCode,
    Strict,
    Why,
    Words,
    text,
)
from kaguan.cms.rules.chip_state import Remedy
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason
from kaguan.cms.rules.personal import Correction
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.approvals import asking, deciding
from kaguan.cms.services.approvals.asking import AskedApproval
from kaguan.cms.services.approvals.deciding import Decided, OpenApproval
from kaguan.cms.services.orders import Ending, NewCard

router: Final = Router(tags=["approvals"])


class CorrectionWanted(Strict):
    """Whose name or document is wrong, what it should be, and why."""

    holder_id: HolderId
    wanted: Annotated[dict[Correction, Annotated[str, text(100)]], Field(min_length=1)]
    reason: Words


class MergeWanted(Strict):
    """Which two persons are one, and which of them stays."""

    merged: HolderId
    survivor: HolderId
    reason: Words


class PurgeWanted(Strict):
    """Whose data should go, and why."""

    holder_id: HolderId
    reason: Words


class SettlementWanted(Strict):
    """Which case about a chip, how it should be settled, and why."""

    case_id: UUID
    remedy: Remedy
    reason: Words


class ReleaseWanted(Strict):
    """Which formally lost card was found, the document shown, and how it was told, if not there."""

    card_no: CardNo
    document: DocumentShown
    reason: Words
    channel: Channel | None = None


class UnlockWanted(Strict):
    """Which card should serve again, and why."""

    card_no: CardNo
    reason: Words


class CancellationWanted(Strict):
    """Which card should end, the code of the reason, and the reason in words."""

    card_no: CardNo
    code: CancelReason
    reason: Words
    met: MetDemands = ()


class NewCardWanted(Strict):
    """Which card should be followed by which, how it ends (an exchange with its code), and why."""

    card_no: CardNo
    ending: Annotated[Ending, WithJsonSchema({"type": "string", "enum": ["replace", "exchange", "renew"]})]
    code: ExchangeReason | None = None
    new_card_no: CardNo
    order_no: Annotated[str, text(40)]
    issue_date: Day
    valid_until: Day
    bank_card_no: OptionalCode = ""
    bank_code: Annotated[str, text(15, shortest=0)] = ""
    urgency: Urgency = Urgency.NORMAL
    channel: Channel | None = None
    reason: Words

    def new(self) -> NewCard:
        """Return the new card as use cases take it."""
        return NewCard(
            self.new_card_no,
            self.order_no,
            self.issue_date,
            self.valid_until,
            self.bank_card_no,
            self.bank_code,
            self.urgency,
            self.channel,
        )


@router.post("/corrections", response=answers(AskedApproval), operation_id="ask_correction")
def ask_correction(request: HttpRequest, key: Key, seen: Seen, body: CorrectionWanted) -> AskedApproval:
    """Ask for a correction of name or document."""
    wanted = {name.value: told for name, told in body.wanted.items()}
    return asking.ask_correction(
        *asks_for(request, key, seen), holder_id=body.holder_id, wanted=wanted, reason=body.reason
    )


@router.post("/merges", response=answers(AskedApproval), operation_id="ask_merge")
def ask_merge(request: HttpRequest, key: Key, body: MergeWanted) -> AskedApproval:
    """Ask for two persons to become one."""
    return asking.ask_merge(*asks_for(request, key), merged=body.merged, survivor=body.survivor, reason=body.reason)


@router.post("/purges", response=answers(AskedApproval), operation_id="ask_purge")
def ask_purge(request: HttpRequest, key: Key, seen: Seen, body: PurgeWanted) -> AskedApproval:
    """Ask for a person's data to go."""
    return asking.ask_purge(*asks_for(request, key, seen), holder_id=body.holder_id, reason=body.reason)


@router.post("/settlements", response=answers(AskedApproval), operation_id="ask_settlement")
def ask_settlement(request: HttpRequest, key: Key, body: SettlementWanted) -> AskedApproval:
    """Ask for a case about a chip to be settled."""
    actor, request_id = asks_for(request, key)
    return asking.ask_settlement(actor, request_id, case_id=body.case_id, remedy=body.remedy, reason=body.reason)


@router.post("/loss-releases", response=answers(AskedApproval), operation_id="ask_release")
def ask_release(request: HttpRequest, key: Key, seen: Seen, body: ReleaseWanted) -> AskedApproval:
    """Ask for a formally lost card to serve again."""
    return asking.ask_release(
        *asks_for(request, key, seen),
        card_no=body.card_no,
        document=body.document.document(),
        reason=body.reason,
        channel=body.channel,
    )


@router.post("/unlocks", response=answers(AskedApproval), operation_id="ask_unlock")
def ask_unlock(request: HttpRequest, key: Key, seen: Seen, body: UnlockWanted) -> AskedApproval:
    """Ask for a locked card to serve again."""
    return asking.ask_unlock(*asks_for(request, key, seen), card_no=body.card_no, reason=body.reason)


@router.post("/cancellations", response=answers(AskedApproval), operation_id="ask_cancellation")
def ask_cancellation(request: HttpRequest, key: Key, seen: Seen, body: CancellationWanted) -> AskedApproval:
    """Ask for a card to end."""
    return asking.ask_cancellation(
        *asks_for(request, key, seen),
        card_no=body.card_no,
        code=body.code,
        reason=body.reason,
        met=[one.met() for one in body.met],
    )


@router.post("/new-cards", response=answers(AskedApproval), operation_id="ask_new_card")
def ask_new_card(request: HttpRequest, key: Key, seen: Seen, body: NewCardWanted) -> AskedApproval:
    """Ask for a card to end and another one to be made in its place."""
    return asking.ask_new_card(
        *asks_for(request, key, seen),
        card_no=body.card_no,
        ending=body.ending,
        code=body.code or "",
        new=body.new(),
        reason=body.reason,
    )


@router.get("", response=answers(list[OpenApproval]), operation_id="list_approvals")
def list_approvals(request: HttpRequest) -> list[OpenApproval]:
    """List what waits for somebody like you."""
    return deciding.open_approvals(*asks_for(request, uuid4()))


@router.post("/{approval_id}/approval", response=answers(Decided), operation_id="approve")
def approve(request: HttpRequest, approval_id: UUID, key: Key) -> Decided:
    """Approve, and have it done."""
    return deciding.approve(*asks_for(request, key), approval_id=approval_id)


@router.post("/{approval_id}/rejection", response=answers(Decided), operation_id="reject")
def reject(request: HttpRequest, approval_id: UUID, key: Key, body: Why) -> Decided:
    """Reject, and say why."""
    return deciding.reject(*asks_for(request, key), approval_id=approval_id, why=body.why)
