"""What a region decides on a day, for showing: every value, where it comes from, and how sure it is."""

from __future__ import annotations

from datetime import date

from kaguan.cms.models import RegionVersion
from kaguan.cms.models.regions import rules_of_day
from kaguan.cms.rules.layers import line_of
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.regions import SETTINGS

OWN_WORD = "own word"


def region_record(code: str, on: date) -> dict[str, dict[str, object]]:
    """Return by name each setting's value, the region that says so, since when, and the mark of certainty.

    Without a region it is the program's default. A region that gives no mark gives its own word.
    Refuses with RuleTableError (no region code), NotFound (neither it nor a region above it is on the books), and
    NotEligible (a day before the first rules).
    """
    if not RegionVersion.objects.filter(region_code__in=line_of(code)).exists():
        raise NotFound(f"no rules of region {code} are on the books: import its file first")
    day = rules_of_day(code, on)
    values = day.rules.settings()
    record: dict[str, dict[str, object]] = {}
    for name in SETTINGS:
        origin = day.origins[name]
        record[name] = {
            "value": values[name],
            "region": origin.code,
            "since": origin.valid_from.isoformat() if origin.valid_from else "",
            "confidence": origin.confidence or OWN_WORD,
        }
    return record
