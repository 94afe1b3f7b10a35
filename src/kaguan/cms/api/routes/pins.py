"""What happened to a card's PIN, told by whoever has the card in a reader; the digits never come here."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import AskedAtCounter, CardNo
from kaguan.cms.services import pin
from kaguan.cms.services.case import CardState

router: Final = Router(tags=["PIN"])


@router.post("/{card_no}/pin/change", response=answers(CardState), operation_id="record_pin_change")
def changed(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the holder chose a new PIN."""
    return pin.record_pin_change(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/pin/block", response=answers(CardState), operation_id="record_pin_blocked")
def blocked(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip takes no PIN any more."""
    return pin.record_pin_blocked(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/pin/reset", response=answers(CardState), operation_id="reset_pin")
def reset(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: AskedAtCounter) -> CardState:
    """Tell that the holder typed a new PIN into the chip after showing their document."""
    return pin.reset_pin(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        papers=body.papers,
        channel=body.channel,
    )


@router.post("/{card_no}/pin/void", response=answers(CardState), operation_id="void_pin")
def void(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the PIN was reset as often as it may be: the card is replaced."""
    return pin.void_pin(*asks_for(request, key, seen), card_no=card_no)
