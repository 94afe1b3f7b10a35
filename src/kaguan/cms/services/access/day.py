"""Close the day: whoever worked there is signed out and comes in again on the next one, or when it is opened again."""

from __future__ import annotations

from dataclasses import dataclass

from kaguan.cms.models import DayClose, Operator
from kaguan.cms.rules.refusals import DuplicateRequest, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.access.colleagues import workplace
from kaguan.cms.services.access.sessions import end_sessions, is_closed
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class BusinessDay:
    """A day (ISO 8601) of an institution, and whether it is closed."""

    institution: str
    day: str
    closed: bool


@use_case("close day", Right.CLOSE_DAY, BusinessDay)
def close_day(case: Case, /, *, institution: str) -> BusinessDay:
    """Leave the institution closed for today, its operators signed out.

    Refuses, in this order: no institution that the actor answers for, closed already.
    """
    place = workplace(case, institution)
    if is_closed(place, case.at):
        raise DuplicateRequest(f"{institution} has closed {case.today} already")
    DayClose.objects.create(institution=place, day=case.today, closed_at=case.at, closed_by=case.operator.code)
    for operator in Operator.objects.filter(institution=place):
        end_sessions(case.at, "day closed", operator=operator)
    return BusinessDay(institution, case.today.isoformat(), closed=True)


@use_case("reopen day", Right.CLOSE_DAY, BusinessDay)
def reopen_day(case: Case, /, *, institution: str) -> BusinessDay:
    """Leave the institution open again today. Refuses with NotFound: not answered for, or not closed."""
    place = workplace(case, institution)
    closed = DayClose.objects.filter(institution=place, day=case.today, reopened_at=None)
    if not closed.update(reopened_at=case.at, reopened_by=case.operator.code):
        raise NotFound(f"{institution} has not closed {case.today}")
    return BusinessDay(institution, case.today.isoformat(), closed=False)
