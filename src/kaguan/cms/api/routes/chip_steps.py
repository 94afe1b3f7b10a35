"""Steps of a chip in somebody else's reader: on the books before the chip hears of them, and ended by its answer."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.routes.locks import LockWanted
from kaguan.cms.api.shapes import AskedAtCounter, CardNo, Why
from kaguan.cms.services.case import CardState
from kaguan.cms.services.chip import locking, pin, unreadable

router: Final = Router(tags=["chip steps"])


@router.post("/{card_no}/chip/lock", response=answers(CardState), operation_id="begin_chip_lock")
def begin_lock(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: LockWanted) -> CardState:
    """Lock the card; its chip is about to be locked."""
    return locking.begin_chip_lock(*asks_for(request, key, seen), card_no=card_no, reason=body.reason)


@router.post("/{card_no}/chip/lock/done", response=answers(CardState), operation_id="end_chip_lock")
def end_lock(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip is locked."""
    return locking.end_chip_lock(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip/unlock", response=answers(CardState), operation_id="begin_chip_unlock")
def begin_unlock(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Say that the chip is about to be unlocked."""
    return locking.begin_chip_unlock(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip/unlock/done", response=answers(CardState), operation_id="end_chip_unlock")
def end_unlock(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip serves again; so does the card from now on."""
    return locking.end_chip_unlock(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip/pin-change", response=answers(CardState), operation_id="begin_pin_change")
def begin_change(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Say that the holder is about to choose a new PIN."""
    return pin.begin_pin_change(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip/pin-change/done", response=answers(CardState), operation_id="end_pin_change")
def end_change(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip took the PIN that its holder chose."""
    return pin.end_pin_change(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip/pin-change/left", response=answers(CardState), operation_id="leave_pin")
def leave_change(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Why) -> CardState:
    """Tell that the chip refused, and its PIN is what it was."""
    return pin.leave_pin(*asks_for(request, key, seen), card_no=card_no, why=body.why)


@router.post("/{card_no}/chip/pin-reset", response=answers(CardState), operation_id="begin_pin_reset")
def begin_reset(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: AskedAtCounter) -> CardState:
    """Count a reset; the chip is about to be given a new PIN."""
    return pin.begin_pin_reset(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        papers=body.papers,
        channel=body.channel,
    )


@router.post("/{card_no}/chip/pin-unblock", response=answers(CardState), operation_id="begin_pin_unblock")
def begin_unblock(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: AskedAtCounter) -> CardState:
    """Count a reset; the chip is about to be given its tries back."""
    return pin.begin_pin_unblock(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        papers=body.papers,
        channel=body.channel,
    )


@router.post("/{card_no}/chip/pin/done", response=answers(CardState), operation_id="end_pin_step")
def end_step(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip took the new PIN, or its tries."""
    return pin.end_pin_step(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/unreadable", response=answers(CardState), operation_id="register_unreadable")
def register(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Why) -> CardState:
    """Say that no reader reads the ended card: its purse waits for the region's days."""
    return unreadable.register_unreadable(*asks_for(request, key, seen), card_no=card_no, why=body.why)
