"""Look at what waits to be explained about chips, and at the lists by which terminals refuse cards: page by page.

Law. What lies in another city is not found, whether it exists there or not; nobody looks at a case of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from kaguan.cms.models import BlacklistChange, BlacklistPush, ChipCase, Terminal
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import BlacklistCause
from kaguan.cms.services.case import Case
from kaguan.cms.services.pages import rows_after
from kaguan.cms.services.use_case import question


@dataclass(frozen=True, slots=True)
class ChipCaseView:
    """A case with what became of it, moments in ISO 8601; `more_fen` is what the chip's purse had more than the books.

    `books` and `chip` are what each said last. While a case is open, the last four say nothing.
    """

    case_id: str
    card_no: str
    about: str
    step: str
    books: str
    chip: str
    more_fen: int
    sightings: int
    state: str
    operator: str
    institution: str
    terminal_no: str
    at: str
    seen_at: str
    settled_at: str
    settled_by: str
    why: str
    approval: str


@dataclass(frozen=True, slots=True)
class ListedCard:
    """A card that terminals refuse: the number under which it came onto the list, why, and since when (ISO 8601)."""

    sequence: int
    card_no: str
    cause: str
    since: str


@dataclass(frozen=True, slots=True)
class PushedList:
    """Up to which number of the list a terminal knows, and since when (ISO 8601)."""

    terminal_no: str
    institution: str
    sequence: int
    pushed_at: str


@question("look at chip cases", Right.LOOK)
def look_at_cases(
    case: Case, /, *, after: UUID | None = None, most: int | None = None, card_no: str = "", settled: bool = False
) -> list[ChipCaseView]:
    """Return the cases about cards in reach, or about one: at most so many that come after the one with that id.

    Oldest first, without the actor's own; the settled ones too when asked for. Refuses with NotFound an id of none.
    """
    known = _within(case)
    if case.operator.holder_id is not None:
        known = known.exclude(card__holder=case.operator.holder_id)
    last = None if after is None else _found(known, after)
    if card_no:
        known = known.filter(card=card_no)
    if not settled:
        known = known.filter(state="open")
    return [_view(row) for row in rows_after(known, last)[:most]]


@question("look at chip case", Right.LOOK)
def look_at_case(case: Case, /, *, case_id: UUID) -> ChipCaseView:
    """Return the case. Refuses, in this order: no such case, own card."""
    row = _found(_within(case), case_id)
    case.check_not_own(row.card.holder_id)
    return _view(row)


@question("look at blacklist", Right.LOOK)
def look_at_blacklist(case: Case, /, *, region: str, after: int = 0, most: int | None = None) -> list[ListedCard]:
    """Return the cards that the region's terminals refuse, by number: at most so many after that one.

    Refuses with NotFound a region that is not the actor's.
    """
    _check_region(case, region)
    newer = BlacklistChange.objects.filter(card=OuterRef("card"), sequence__gt=OuterRef("sequence"))
    listed = BlacklistChange.objects.filter(~Exists(newer), region=region, sequence__gt=after)
    changes = listed.exclude(cause=BlacklistCause.UNLOCKED).select_related("card").order_by("sequence")
    return [
        ListedCard(change.sequence, change.card.card_no, change.cause, change.at.isoformat(timespec="seconds"))
        for change in changes[:most]
    ]


@question("look at pushed lists", Right.LOOK)
def look_at_pushed_lists(case: Case, /, *, region: str, after: str = "", most: int | None = None) -> list[PushedList]:
    """Return what each of the region's terminals was given last: at most so many with a greater number than that.

    Refuses as `look_at_blacklist`.
    """
    _check_region(case, region)
    newest = BlacklistPush.objects.filter(terminal=OuterRef("pk")).order_by("-at").values("pk")[:1]
    terminals = Terminal.objects.filter(institution__region=region, terminal_no__gt=after)
    given = terminals.annotate(push=Subquery(newest)).exclude(push=None).order_by("terminal_no")
    last = list(given.values_list("push", flat=True)[:most])
    pushes = BlacklistPush.objects.filter(pk__in=last).select_related("terminal__institution")
    return [
        PushedList(
            push.terminal.terminal_no,
            push.terminal.institution.code,
            push.sequence,
            push.at.isoformat(timespec="seconds"),
        )
        for push in pushes.order_by("terminal")
    ]


def _within(case: Case) -> QuerySet[ChipCase]:
    return ChipCase.objects.filter(card__region__in=case.regions).select_related("card")


def _found(known: QuerySet[ChipCase], case_id: UUID) -> ChipCase:
    row = known.filter(pk=case_id).first()
    if row is None:
        raise NotFound(f"no case {case_id} is on the books")
    return row


def _check_region(case: Case, region: str) -> None:
    if region not in case.regions:
        raise NotFound(f"no region {region} is on the books")


def _view(row: ChipCase) -> ChipCaseView:
    return ChipCaseView(
        str(row.pk),
        row.card.card_no,
        row.facet,
        row.step,
        row.books,
        row.chip,
        row.more_fen,
        row.sightings,
        row.state,
        row.operator,
        row.institution,
        row.terminal_no,
        row.at.isoformat(timespec="seconds"),
        row.seen_at.isoformat(timespec="seconds"),
        row.settled_at.isoformat(timespec="seconds") if row.settled_at else "",
        row.settled_by,
        row.why,
        str(row.approval) if row.approval else "",
    )
