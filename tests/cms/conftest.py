"""Card management on a real SQLite file, and a small town in region 990100 to play in."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection

from cms.town import Town, found_town
from kaguan.cms.settings import DATABASE_VARIABLE
from kaguan.cms.store import open_store


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Let the test database be a file: threads share it, and its locks are the real ones."""
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("db") / "cms.sqlite")


@pytest.fixture
def town(db) -> Town:
    """A founded town: authority, two banks' outlets, a clinic and a pharmacy, with their operators."""
    return found_town()


@pytest.fixture
def own_store(django_db_setup, django_db_blocker, tmp_path, monkeypatch):
    """A database file of the test's own: what is committed there stays, and threads and programs share it."""
    before, own = connection.settings_dict["NAME"], str(tmp_path / "own.sqlite")
    monkeypatch.setenv(DATABASE_VARIABLE, own)
    with django_db_blocker.unblock():
        open_store(own)
        yield own
        connection.close()
        connection.settings_dict["NAME"] = before


@pytest.fixture
def lasting_town(own_store) -> Town:
    """The same town, committed to a file of its own."""
    return found_town()
