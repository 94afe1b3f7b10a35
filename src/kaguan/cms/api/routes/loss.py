"""Loss of a card: reported, reported formally, released; of the card and of its bank function."""

from __future__ import annotations

from typing import Annotated, Final

from django.http import HttpRequest
from ninja import Query, Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import AskedAtCounter, CardNo, DocumentShown, Strict, Words
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services import loss
from kaguan.cms.services.case import CardState

router: Final = Router(tags=["loss"])


class LossRelease(Strict):
    """The document that is shown; a temporary loss is released without one."""

    document: DocumentShown | None = None
    channel: Channel | None = None


class HowBlocked(Strict):
    """How it was made harmless: in a reader, or by the terminals' blacklist."""

    how: Words


@router.post("/{card_no}/temporary-loss", response=answers(CardState), operation_id="report_temporary_loss")
def report_temporary_loss(
    request: HttpRequest,
    card_no: CardNo,
    key: Key,
    seen: Seen,
    channel: Annotated[Channel | None, Query()] = None,
) -> CardState:
    """Report the card lost for the time being; without a channel in the usual way of whoever asks."""
    return loss.report_temporary_loss(*asks_for(request, key, seen), card_no=card_no, channel=channel)


@router.post("/{card_no}/formal-loss", response=answers(CardState), operation_id="report_formal_loss")
def report_formal_loss(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: AskedAtCounter) -> CardState:
    """Report the card formally lost."""
    return loss.report_formal_loss(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        papers=body.papers,
        channel=body.channel,
    )


@router.post("/{card_no}/loss-release", response=answers(CardState), operation_id="release_loss")
def release_loss(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: LossRelease) -> CardState:
    """Give the found card back to use."""
    document = body.document.document() if body.document else None
    return loss.release_loss(*asks_for(request, key, seen), card_no=card_no, document=document, channel=body.channel)


@router.post("/{card_no}/bank-loss", response=answers(CardState), operation_id="report_bank_loss")
def report_bank_loss(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Report the bank function lost, and nothing else."""
    return loss.report_bank_loss(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/bank-loss-release", response=answers(CardState), operation_id="release_bank_loss")
def release_bank_loss(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Give the bank function back to use."""
    return loss.release_bank_loss(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip-block/order", response=answers(CardState), operation_id="order_block")
def order_block(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that the chip is being blocked in a reader."""
    return loss.order_block(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip-block/presumption", response=answers(CardState), operation_id="presume_blocked")
def presume_blocked(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen) -> CardState:
    """Tell that a card in a reader said of itself that it is blocked: its purse still waits."""
    return loss.presume_blocked(*asks_for(request, key, seen), card_no=card_no)


@router.post("/{card_no}/chip-block/confirmation", response=answers(CardState), operation_id="confirm_blocked")
def confirm_blocked(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: HowBlocked) -> CardState:
    """Tell that the chip is harmless."""
    return loss.confirm_blocked(*asks_for(request, key, seen), card_no=card_no, how=body.how)
