"""Regions and the institutions in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from kaguan.cms.rules.regions import InstitutionKind, RegionRules, read_region

if TYPE_CHECKING:
    from kaguan.cms.models.columns import Flag, Json, Text, Whole


class Region(models.Model):
    """A pooling region and what it decides for itself."""

    code: Text = models.CharField(max_length=6, primary_key=True)
    settings: Json = models.JSONField(default=dict)

    def rules(self) -> RegionRules:
        """Return the settings as rules; refuse with RuleTableError when they make no sense."""
        return read_region(self.settings)


class Institution(models.Model):
    """A place that has to do with cards: authority, bank, outlet, bureau, clinic, hospital or pharmacy."""

    code: Text = models.CharField(max_length=20, primary_key=True)
    name: Text = models.CharField(max_length=60)
    kind: Text = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in InstitutionKind])
    region: models.ForeignKey[Region, Region] = models.ForeignKey(Region, models.PROTECT)
    parent: models.ForeignKey[Institution | None, Institution | None] = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="children"
    )
    bank_code: Text = models.CharField(max_length=15, blank=True)
    designated: Flag = models.BooleanField(default=False)
    blacklisted: Flag = models.BooleanField(default=False)


class Terminal(models.Model):
    """A terminal of a clinic, hospital or pharmacy, and the last purchase number that it was given."""

    terminal_no: Text = models.CharField(max_length=12, primary_key=True)
    institution: models.ForeignKey[Institution, Institution] = models.ForeignKey(Institution, models.PROTECT)
    last_sequence: Whole = models.BigIntegerField(default=0)
