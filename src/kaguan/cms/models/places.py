"""Regions and the institutions in them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from kaguan.cms.models.regions import rules_of_day
from kaguan.cms.models.texts import BoundedText
from kaguan.cms.rules.choices import InstitutionKind
from kaguan.cms.rules.regions import RegionRules

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Flag, Text, Whole


class Region(models.Model):
    """A pooling region; what it decides, and those above it, is in `RegionVersion`."""

    code: Text = BoundedText(max_length=6, primary_key=True)

    _kept: tuple[date, str] | None = None

    def keep_rules(self, on: date, stamp: str) -> None:
        """Leave that day as today, with the rules that this stamp tells (`stamp_of`): for as long as a request."""
        self._kept = (on, stamp)

    def rules(self, on: date | None = None) -> RegionRules:
        """Return the rules in force on that day, today when none is given."""
        if self._kept is not None and on in (None, self._kept[0]):
            return rules_of_day(self.code, *self._kept).rules
        return rules_of_day(self.code, on or timezone.localdate()).rules


class Institution(models.Model):
    """A place that has to do with cards: authority, bank, outlet, bureau, clinic, hospital or pharmacy."""

    code: Text = BoundedText(max_length=20, primary_key=True)
    name: Text = BoundedText(max_length=60)
    kind: Text = BoundedText(max_length=10, choices=[(kind.value, kind.value) for kind in InstitutionKind])
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    parent: models.ForeignKey[Institution | None, Institution | None] = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="children"
    )
    bank_code: Text = BoundedText(max_length=15, blank=True)
    designated: Flag = models.BooleanField(default=False)
    blacklisted: Flag = models.BooleanField(default=False)


class Terminal(models.Model):
    """A terminal of a clinic, hospital or pharmacy, and the last purchase number that it was given."""

    terminal_no: Text = BoundedText(max_length=12, primary_key=True)
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    last_sequence: Whole = models.BigIntegerField(default=0)
