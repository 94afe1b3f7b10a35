"""One database of a server for all of the siege, emptied for each test: to make and remove hundreds takes minutes."""

from __future__ import annotations

from functools import cache

import pytest
from django.db import connection

from cms.siege.emptying import emptied
from postgres import server


@pytest.fixture
def made_store(request, django_db_setup, django_db_blocker):
    """As everywhere; on a server it is the database of the test before, with nothing left in it."""
    if django_db_setup == "sqlite":
        return request.getfixturevalue("made_store")
    with django_db_blocker.unblock():
        connection.close()
        return emptied(_servers_store(connection.settings_dict["NAME"]))


@cache
def _servers_store(template: str) -> str:
    return server().new_database(template)
