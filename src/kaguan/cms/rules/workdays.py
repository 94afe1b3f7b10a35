"""Spans in natural and in working days, by a region's own calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from kaguan.cms.rules.choices import DayCount
from kaguan.cms.rules.regions import RegionRules

_ONE_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


def is_worked(day: date, rules: RegionRules) -> bool:
    """Return whether the day is worked: Monday to Friday but for `days_off`, and `days_worked` at weekends."""
    if day in rules.days_worked:
        return True
    return day.weekday() < _SATURDAY and day not in rules.days_off


def days_between(start: date, end: date, counts: DayCount, rules: RegionRules) -> int:
    """Return how many of those days there are after the start, up to the end; none when it lies before."""
    passed = max((end - start).days, 0)
    if counts is DayCount.NATURAL:
        return passed
    return sum(is_worked(start + timedelta(days=number), rules) for number in range(1, passed + 1))


def last_start(end: date, days: int, counts: DayCount, rules: RegionRules) -> date:
    """Return the latest day after which so many days are over by the end: `day_after` does not pass the end."""
    if counts is DayCount.NATURAL:
        return end - timedelta(days=days)
    day = end
    for _ in range(days):
        while not is_worked(day, rules):
            day -= _ONE_DAY
        day -= _ONE_DAY
    return day


def day_after(start: date, days: int, counts: DayCount, rules: RegionRules) -> date:
    """Return the day that is so many days after the start; the start itself does not count.

    No days after it is the start, worked or not.
    """
    if counts is DayCount.NATURAL:
        return start + timedelta(days=days)
    day = start
    for _ in range(days):
        day += _ONE_DAY
        while not is_worked(day, rules):
            day += _ONE_DAY
    return day
