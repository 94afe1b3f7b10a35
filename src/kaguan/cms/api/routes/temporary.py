"""Temporary cards of paper: issued, extended, taken back."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import CardNo, DocumentShown, Strict
from kaguan.cms.rules.choices import CardFunction
from kaguan.cms.services import temporary
from kaguan.cms.services.temporary import TemporaryReceipt, TemporaryUse

router: Final = Router(tags=["temporary cards"])


class TemporaryWanted(Strict):
    """The number on the paper, and the document of whoever gets it."""

    temporary_card_no: CardNo
    document: DocumentShown


@router.post("", response=answers(TemporaryReceipt), operation_id="issue_temporary_card")
def issue(request: HttpRequest, key: Key, body: TemporaryWanted) -> TemporaryReceipt:
    """Issue a temporary card."""
    return temporary.issue_temporary_card(
        *asks_for(request, key), temporary_card_no=body.temporary_card_no, document=body.document.document()
    )


@router.post("/{card_no}/extension", response=answers(TemporaryReceipt), operation_id="extend_temporary_card")
def extend(request: HttpRequest, card_no: CardNo, key: Key) -> TemporaryReceipt:
    """Extend a temporary card."""
    return temporary.extend_temporary_card(*asks_for(request, key), temporary_card_no=card_no)


class UseWanted(Strict):
    """What it is to serve for."""

    function: CardFunction


@router.post("/{card_no}/use", response=answers(TemporaryUse), operation_id="use_temporary_card")
def use(request: HttpRequest, card_no: CardNo, body: UseWanted) -> TemporaryUse:
    """Say whose temporary card it is, when it serves for this here; every use is noted."""
    asked = asks_for(request, uuid4())
    return temporary.use_temporary_card(*asked, temporary_card_no=card_no, function=body.function)


@router.post("/{card_no}/return", response=answers(TemporaryReceipt), operation_id="return_temporary_card")
def take_back(request: HttpRequest, card_no: CardNo, key: Key) -> TemporaryReceipt:
    """Take a temporary card back."""
    return temporary.return_temporary_card(*asks_for(request, key), temporary_card_no=card_no)
