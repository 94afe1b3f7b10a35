"""What regions decide, version by version.

Law. Versions are only ever added, and none is dated before the day on which it was added to a region that works by
rules already: what held on a day can be told for ever.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.db import models
from django.db.models import CharField, Count, Max, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, Substr

from kaguan.cms.compiled import Compiled
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.layers import COUNTRY, Layer, RulesOfDay, line_of, resolve
from kaguan.cms.rules.refusals import NotEligible

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Day, Json, Moment, Text


class RegionVersion(models.Model):
    """What a country, a province or a city says from a day on: `rules.layers.Layer`, and who said it when.

    Of two versions of one day the one added later counts.
    """

    region_code: Text = BoundedText(max_length=6)
    valid_from: Day = models.DateField()
    settings: Json = models.JSONField()
    confidence: Json = models.JSONField(default=dict)
    inherits: Json = models.JSONField(default=list)
    note: Text = BoundedText(max_length=200, blank=True)
    added_by: Text = BoundedText(max_length=20)
    added_at: Moment = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["region_code", "valid_from"], name="version_by_region_and_day"),)

    def layer(self) -> Layer:
        """Return the version as rules know it."""
        return Layer(self.region_code, self.valid_from, self.settings, self.confidence, frozenset(self.inherits))


def layers_for(code: str) -> list[Layer]:
    """Return every version of the region and of those above it, oldest first."""
    versions = RegionVersion.objects.filter(region_code__in=line_of(code)).order_by("valid_from", "id")
    return [version.layer() for version in versions]


def rules_of_day(code: str, on: date, stamp: str | None = None) -> RulesOfDay:
    """Return the region's rules on that day and where each comes from; with no versions at all, the defaults.

    `stamp` is what `stamp_of` gave for the region in this transaction, where somebody has asked already.

    Raises:
        NotEligible: the day is before the first version.
    """
    if stamp is None:
        (stamp,) = _STAMP.first(code=code) or ("",)
    return _rules_as_of(code, on, stamp)


def stamp_of(code: Combinable) -> QuerySet[RegionVersion, tuple[str]]:
    """Return a question with one answer: as long as it is the same, so is every version of the region and those above.

    The region is asked for as `line_of` names it and those above it. Rows are only ever added, so their count, the
    newest and its moment tell.
    """
    line = [Value(COUNTRY), Concat(Substr(code, 1, 2), Value("0000")), code]
    parts = [Cast(value, CharField()) for value in (Count("id"), Max("id"), Max("added_at"))]
    stamp = Concat(parts[0], Value(" "), parts[1], Value(" "), parts[2], output_field=CharField())
    versions = RegionVersion.objects.filter(region_code__in=line).order_by().values(all=Value(1))
    return versions.annotate(stamp=stamp).values_list("stamp")


_STAMP: Final[Compiled[tuple[str]]] = Compiled(lambda code: stamp_of(Value(code)), code=str)


@lru_cache(maxsize=1_024)
def _rules_as_of(code: str, on: date, _stamp: str) -> RulesOfDay:
    layers = layers_for(code)
    if layers and on < layers[0].valid_from:
        raise NotEligible(f"no rules were in force in region {code} on {on}: the first are of {layers[0].valid_from}")
    return resolve(code, layers, on)
