"""Reports that somebody used another person's card."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, answers, asks_for
from kaguan.cms.api.shapes import CardNo, Strict, Words
from kaguan.cms.services import misuse
from kaguan.cms.services.misuse import MisuseRecord

router: Final = Router(tags=["misuse"])


class UseSeen(Strict):
    """Who had the card, and what it was used for."""

    what: Words


@router.post("/cards/{card_no}/misuse", response=answers(MisuseRecord), operation_id="report_misuse")
def report(request: HttpRequest, card_no: CardNo, key: Key, body: UseSeen) -> MisuseRecord:
    """Report that somebody else had the card."""
    return misuse.report_misuse(*asks_for(request, key), card_no=card_no, what=body.what)


@router.get("/misuse", response=answers(list[MisuseRecord]), operation_id="misuse_reports")
def reports(request: HttpRequest) -> list[MisuseRecord]:
    """List the newest reports about cards in reach."""
    return misuse.misuse_reports(*asks_for(request, uuid4()))
