"""Cards that stop: locked, unlocked, sealed, ended; what needs a second person is asked for in `approvals`."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import CardNo, MetDemands, Strict
from kaguan.cms.rules.lifecycle import CancelReason, LockReason
from kaguan.cms.services import lock
from kaguan.cms.services.case import CardState

router: Final = Router(tags=["locks"])


class LockWanted(Strict):
    """Why the card is locked."""

    reason: LockReason


class CancelWanted(Strict):
    """Why the card ends, and what the region demands for it and is met."""

    reason: CancelReason
    met: MetDemands = ()


@router.post("/{card_no}/lock", response=answers(CardState), operation_id="lock_card")
def lock_card(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: LockWanted) -> CardState:
    """Lock the card until it is unlocked."""
    return lock.lock(*asks_for(request, key, seen), card_no=card_no, reason=body.reason)


@router.post("/{card_no}/unlock", response=answers(CardState), operation_id="unlock_card")
def unlock_card(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Unlock the card, where one person may."""
    return lock.unlock(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/seal", response=answers(CardState), operation_id="seal_card")
def seal_card(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Seal a card that nobody collects."""
    return lock.seal(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/cancellation", response=answers(CardState), operation_id="cancel_card")
def cancel_card(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: CancelWanted) -> CardState:
    """End the card for good, where one person may."""
    met = [one.met() for one in body.met]
    return lock.cancel(*asks_for(request, key, seen), card_no=card_no, reason=body.reason, met=met)
