"""Operators all at once on a person's cards, on a real server: every answer fits into one story."""

from __future__ import annotations

import pytest

from cms.siege.rush import rush
from kaguan.cms.models import CardEvent

pytestmark = pytest.mark.slow


@pytest.mark.only_on("postgresql")
def test_whatever_is_asked_at_once_has_one_story(lasting_town):
    rush(lasting_town, examples=8, steps=12)
    assert CardEvent.objects.exclude(event="order").count() > 8
