"""The blacklist for terminals: what each of them is given, whole or what changed since the last time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from django.utils import timezone

from kaguan.cms.models import BlacklistChange, BlacklistPush, Institution, Terminal
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import BlacklistCause
from kaguan.cms.services.case import Case
from kaguan.cms.services.listing import last_number
from kaguan.cms.services.use_case import use_case
from kaguan.terminal.blacklist import Blacklist

GOOD_FOR: Final = timedelta(days=7)
"""How long a terminal may serve offline with a list: after that it has to fetch another."""


@dataclass(frozen=True, slots=True)
class PushedList:
    """A list that was made for a terminal: what came after number `since`, up to number `sequence`."""

    push_id: str
    terminal_no: str
    region: str
    since: int
    sequence: int
    good_until: str


@use_case("push blacklist", Right.LOCK, PushedList)
def push_blacklist(case: Case, /, *, terminal_no: str, whole: bool = False, institution: str = "") -> PushedList:
    """Leave on record which list the terminal is given; `blacklist_of` gives its content.

    A terminal gets a whole list the first time, or when it asks for one, and the changes since the last one else. One
    that is not on the books yet is put there, at the institution.
    Refuses with NotFound: no such terminal, or institution, within reach.
    """
    terminal = _terminal(case, terminal_no, institution)
    region = terminal.institution.region.code
    last = BlacklistPush.objects.filter(terminal=terminal).order_by("at").last()
    push = BlacklistPush.objects.create(
        push_id=case.new_id(BlacklistPush),
        terminal=terminal,
        since=0 if whole or last is None else last.sequence,
        sequence=last_number(region),
        operator=case.operator.code,
        at=case.at,
    )
    case.note(terminal_no=terminal_no, since=push.since, sequence=push.sequence)
    good_until = (push.at + GOOD_FOR).isoformat()
    return PushedList(str(push.pk), terminal_no, region, push.since, push.sequence, good_until)


def blacklist_of(push_id: UUID) -> Blacklist:
    """Return the list that was pushed, the same however often it is asked; refuse with NotFound.

    Cards whose validity has ended are left out of a whole list: no terminal takes them.
    """
    push = BlacklistPush.objects.select_related("terminal__institution__region").filter(pk=push_id).first()
    if push is None:
        raise NotFound(f"no push {push_id} is on the books")
    region = push.terminal.institution.region.code
    changes = BlacklistChange.objects.filter(
        region=region, sequence__gt=push.since, sequence__lte=push.sequence
    ).exclude(card__card_ident_code=None)
    cards: dict[str, str] = {}
    for ident_code, valid_until, cause in changes.order_by("sequence").values_list(
        "card__card_ident_code", "card__valid_until", "cause"
    ):
        cards[ident_code or ""] = cause
        gone = not push.since and (cause == BlacklistCause.UNLOCKED or valid_until < timezone.localdate(push.at))
        if gone:
            del cards[ident_code or ""]
    return Blacklist(
        region=region,
        terminal_no=push.terminal.terminal_no,
        since=push.since,
        sequence=push.sequence,
        issued_at=push.at.isoformat(),
        good_until=(push.at + GOOD_FOR).isoformat(),
        cards=MappingProxyType(cards),
    )


def _terminal(case: Case, terminal_no: str, institution: str) -> Terminal:
    known = Terminal.objects.filter(pk=terminal_no, institution__region__in=case.regions).first()
    if known is not None:
        return known
    if not institution:
        raise NotFound(f"no terminal {terminal_no} is on the books: say at which institution it stands")
    place: Institution = case.find_institution(institution)
    if Terminal.objects.filter(pk=terminal_no).exists():
        raise NotEligible(f"the number {terminal_no} is taken: each terminal has one of its own")
    return Terminal.objects.create(terminal_no=terminal_no, institution=place)
