"""Cards: looked at, page by page or one, with the tag by which a change says what it saw."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from kaguan.cms.api.asked import answers, asks_for, tagged
from kaguan.cms.api.paging import Cursor, Limit, Page, number_after, page_of, text_after
from kaguan.cms.api.shapes import CardNo
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.services.looking import CardStep, CardView, look_at_card, look_at_cards, look_at_life

router: Final = Router(tags=["cards"])


@router.get("", response=answers(Page[CardView]), operation_id="list_cards")
def list_cards(
    request: HttpRequest,
    application: Annotated[list[Application], Query(max_length=7)] = [],  # noqa: B006 - the framework copies it
    holder: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[CardView]:
    """List the cards in reach by number."""
    cards = look_at_cards(
        *asks_for(request, uuid4()),
        after=text_after(cursor),
        most=limit + 1,
        application=application,
        holder_id=holder,
    )
    return page_of(cards, limit, lambda card: card.card_no)


@router.get("/{card_no}", response=answers(CardView), operation_id="look_at_card")
def one_card(request: HttpRequest, response: HttpResponse, card_no: CardNo) -> CardView:
    """Look at a card; its ETag is for If-Match."""
    card = look_at_card(*asks_for(request, uuid4()), card_no=card_no)
    tagged(response, card.state_tag)
    return card


@router.get("/{card_no}/events", response=answers(Page[CardStep]), operation_id="list_card_events")
def card_events(request: HttpRequest, card_no: CardNo, cursor: Cursor = "", limit: Limit = 50) -> Page[CardStep]:
    """List the steps of a card's life, oldest first."""
    steps = look_at_life(*asks_for(request, uuid4()), card_no=card_no, after=number_after(cursor), most=limit + 1)
    return page_of(steps, limit, lambda step: step.number)
