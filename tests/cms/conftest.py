"""Card management on a real SQLite file, and a small town in region 990100 to play in."""

from __future__ import annotations

import pytest
from django.conf import settings

from cms.town import Town, found_town


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Let the test database be a file: threads share it, and its locks are the real ones."""
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("db") / "cms.sqlite")


@pytest.fixture
def town(db) -> Town:
    """A founded town: authority, two banks' outlets, a clinic and a pharmacy, with their operators."""
    return found_town()


@pytest.fixture
def lasting_town(transactional_db) -> Town:
    """The same town, committed, so that other threads see it."""
    return found_town()
