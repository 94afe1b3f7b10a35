"""The Django application of card management."""

from __future__ import annotations

from django.apps import AppConfig

from kaguan.cms.regions.shipped import shipped_regions
from kaguan.cms.rules import lifecycle


class CmsConfig(AppConfig):
    """Card management; it refuses to start with an unsound table of transitions or region file."""

    name = "kaguan.cms"
    label = "cms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Return when every life-cycle table and every region file that comes with Kaguan is sound."""
        lifecycle.validate()
        shipped_regions()
