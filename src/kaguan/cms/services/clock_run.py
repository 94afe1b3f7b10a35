"""A day of the clock: every card and temporary card that something is due for, found in pages and done one by one.

Law. Each card is a transaction of its own, under a request id made of rule, card and day: a run that was killed is
run again, and what was done before is not done twice.
Law. A region has a clock of its own: the region is that of the operator's institution.
Law. A run for a day sees only what was due on that day; one that was missed is run later, with its own date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid4, uuid5

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from kaguan.apdu.errors import RuleBroken
from kaguan.cms.models import Card, CardEvent, Region, Reminder, TemporaryCard
from kaguan.cms.rules.lifecycle import APPLICATION, Application
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.temporary import TemporaryState
from kaguan.cms.rules.timetable import CARD_RULES, CardRule, TimeRule
from kaguan.cms.services.case import COLUMN_OF, Actor
from kaguan.cms.services.clock import let_time_pass, look_ahead, remind
from kaguan.cms.services.temporary import lapse_temporary_card

PAGE: Final = 500
_NAMESPACE: Final = UUID("8d1f2d1c-8a0f-5f0e-9c58-9a6f6c1f7d10")
"""Whatever it is, it never changes: the ids of requests that were made follow from it."""


class Due(NamedTuple):
    """Something that is due on a day: which rule, and the number of the card or temporary card."""

    rule: TimeRule
    number: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was due and was refused, and why."""

    due: Due
    why: str


def due_on(actor: Actor, day: date, *, page: int = PAGE) -> Iterator[Due]:
    """Return what is due on that day in the actor's region, as `due_in` gives it. Refuses as `clock.look_ahead`."""
    return due_in(look_ahead(actor, uuid4(), on=day), day, page=page)


def due_in(region: Region, day: date, *, page: int = PAGE) -> Iterator[Due]:
    """Yield everything that is due on that day in the region, rule by rule, as the books stand now.

    It is read in pages, so memory stays flat.
    """
    for state in sorted(set(Application) - APPLICATION.final):
        yield from _expired(region, state, day, page)
    for rule in CARD_RULES:
        last_start = rule.last_start(day, region.rules())
        if last_start is not None:
            waiting = _waiting(region, rule, last_start)
            yield from (Due(rule.name, number) for number in _pages(waiting, page))
    slips = TemporaryCard.objects.filter(region=region, state=TemporaryState.VALID, valid_until__lt=day)
    yield from (Due(TimeRule.TEMPORARY_CARD, number) for number in _pages(slips, page))


def run_day(actor: Actor, day: date, *, page: int = PAGE) -> Iterator[Due | Refused]:
    """Do what is due on that day, one transaction after the other; yield each as it is done, or refused.

    Refuses with NotEligible when the day has not come, else as `due_on`.
    """
    if day > timezone.localdate():
        raise NotEligible(f"{day} has not come yet: what would happen then can only be shown")
    for due in due_on(actor, day, page=page):
        try:
            _do(actor, due, day)
        except RuleBroken as refusal:
            yield Refused(due, str(refusal))
        else:
            yield due


def _do(actor: Actor, due: Due, day: date) -> None:
    request_id = uuid5(_NAMESPACE, f"{due.rule}/{due.number}/{day.isoformat()}")
    if due.rule is TimeRule.TEMPORARY_CARD:
        lapse_temporary_card(actor, request_id, temporary_card_no=due.number)
        return
    ask: Callable[..., object] = remind if due.rule in {TimeRule.REMIND, TimeRule.OVERDUE} else let_time_pass
    ask(actor, request_id, card_no=due.number, rule=due.rule, on=day)


def _expired(region: Region, state: str, day: date, page: int) -> Iterator[Due]:
    """Yield the cards in that state whose last day was before this one, by last day, as their index has them."""
    last_day, last_no = date.min, ""
    ended = Card.objects.filter(region=region, application=state, valid_until__lt=day)
    while True:
        rest = ended.filter(valid_until__gte=last_day).exclude(valid_until=last_day, card_no__lte=last_no)
        rows = list(rest.order_by("valid_until", "card_no").values_list("valid_until", "card_no")[:page])
        if not rows:
            return
        yield from (Due(TimeRule.EXPIRE, number) for _, number in rows)
        last_day, last_no = rows[-1]


def _waiting(region: Region, rule: CardRule, last_day: date) -> QuerySet[Card]:
    """The cards in the rule's states whose waiting began on the last day or before."""
    begun = CardEvent.objects.filter(card=OuterRef("pk"), event__in=rule.since).order_by("-id")
    waiting = (
        Card.objects.filter(region=region, production__in=rule.production)
        .filter(**{f"{COLUMN_OF[rule.axis.name]}__in": rule.states})
        .annotate(since=Subquery(begun.values("at")[:1]))
        .filter(since__lt=_midnight_after(last_day))
    )
    if rule.event:
        return waiting
    return waiting.exclude(pk__in=Reminder.objects.filter(kind=rule.name).values("card"))


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), timezone.get_current_timezone())


def _pages(rows: QuerySet[Card] | QuerySet[TemporaryCard], page: int) -> Iterator[str]:
    """Yield the keys in order, a page at a time, so that what is done meanwhile does not disturb the walk."""
    last = ""
    while numbers := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:page]):
        yield from numbers
        last = numbers[-1]
