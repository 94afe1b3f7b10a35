"""What waits to be explained about chips, and the lists by which terminals refuse cards."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID, uuid4

from django.http import HttpRequest
from ninja import Path, Query, Router

from kaguan.cms.api.asked import answers, asks_for
from kaguan.cms.api.paging import Cursor, Limit, Page, id_after, number_after, page_of, text_after
from kaguan.cms.services import casework
from kaguan.cms.services.casework import ChipCaseView, ListedCard, PushedList

router: Final = Router(tags=["casework"])
Region = Annotated[str, Path(pattern=r"^[0-9]{6}$")]


@router.get("/chip-cases", response=answers(Page[ChipCaseView]), operation_id="look_at_cases")
def cases(
    request: HttpRequest,
    card: Annotated[str, Query(pattern=r"^[0-9A-Za-z]{0,20}$", description="Of this card alone.")] = "",
    *,
    settled: Annotated[bool, Query(description="Those that were settled as well.")] = False,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> Page[ChipCaseView]:
    """List the cases about cards in reach, oldest first."""
    found = casework.look_at_cases(
        *asks_for(request, uuid4()), after=id_after(cursor), most=limit + 1, card_no=card, settled=settled
    )
    return page_of(found, limit, lambda one: one.case_id)


@router.get("/chip-cases/{case_id}", response=answers(ChipCaseView), operation_id="look_at_case")
def one_case(request: HttpRequest, case_id: UUID) -> ChipCaseView:
    """Look at a case, with what became of it."""
    return casework.look_at_case(*asks_for(request, uuid4()), case_id=case_id)


@router.get("/regions/{region}/blacklist", response=answers(Page[ListedCard]), operation_id="look_at_blacklist")
def blacklist(request: HttpRequest, region: Region, cursor: Cursor = "", limit: Limit = 50) -> Page[ListedCard]:
    """List the cards that a region's terminals refuse, by number."""
    asked = asks_for(request, uuid4())
    listed = casework.look_at_blacklist(*asked, region=region, after=number_after(cursor), most=limit + 1)
    return page_of(listed, limit, lambda one: one.sequence)


@router.get("/regions/{region}/pushed-lists", response=answers(Page[PushedList]), operation_id="look_at_pushed_lists")
def pushed(request: HttpRequest, region: Region, cursor: Cursor = "", limit: Limit = 50) -> Page[PushedList]:
    """List what a region's terminals were given last, by terminal."""
    asked = asks_for(request, uuid4())
    given = casework.look_at_pushed_lists(*asked, region=region, after=text_after(cursor), most=limit + 1)
    return page_of(given, limit, lambda one: one.terminal_no)
