"""Card management on a real SQLite file and on a real PostgreSQL server, and a small town in region 990100 to play in.

A test that needs a database is run on both kinds: first all of them on the one, then all on the other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test.utils import setup_databases, teardown_databases

from cms.cities import City, easy_city, strict_city
from cms.recorded import TableRows, put_back, record
from cms.town import Town, found_town, town_again
from kaguan.cms.settings import DATABASE_VARIABLE, database_settings, is_server
from kaguan.cms.store import open_store
from postgres import server

KINDS = ("sqlite", "postgresql")
TEMPLATE = "kaguan_template"
FOUNDED = pytest.StashKey[list[TableRows]]()
MIGRATED = pytest.StashKey[Path]()


def pytest_generate_tests(metafunc):
    """Run on both kinds whatever needs a database, and on one what says `only_on`."""
    wants = metafunc.definition.get_closest_marker("django_db") is not None
    if not wants and "django_db_setup" not in metafunc.fixturenames:
        return
    if "django_db_setup" not in metafunc.fixturenames:
        metafunc.fixturenames.append("django_db_setup")
    only = metafunc.definition.get_closest_marker("only_on")
    # the quick tests are those that need no database
    kinds = [pytest.param(kind, marks=pytest.mark.slow) for kind in (only.args if only else KINDS)]
    metafunc.parametrize("django_db_setup", kinds, indirect=True, scope="session")


def move_to(database):
    """The default connection is to this database from now on; what it was to before."""
    connection.close()
    connections.settings["default"].update(database_settings(database))
    del connections["default"]


@pytest.fixture(scope="session")
def django_db_setup(request, django_test_environment, django_db_blocker, tmp_path_factory):
    """A database of this kind with every migration, that tests roll back in."""
    folder = tmp_path_factory.mktemp("db")
    with django_db_blocker.unblock():
        if request.param == "sqlite":
            # a file: threads share it, and its locks are the real ones
            move_to(str(folder / "cms.sqlite"))
            connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": str(folder / "cms.sqlite")}
        else:
            move_to(server().url("postgres"))
            connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": TEMPLATE}
        made = setup_databases(verbosity=0, interactive=False)
        if request.param == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("VACUUM INTO %s", [str(folder / TEMPLATE)])
            request.config.stash[MIGRATED] = folder / TEMPLATE
        # a town is founded by fourteen use cases, and nearly every test begins in one
        request.config.stash[FOUNDED] = record(found_town)
    yield request.param
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)
        connection.close()


@pytest.fixture(autouse=True)
def quick_and_unasked(settings):
    """Passwords are hashed in no time, what is sealed can be opened, and nobody has asked too often yet."""
    settings.PASSWORD_HASHERS = ["cms.hashing.QuickArgon2"]
    settings.SECOND_FACTOR_SECRET = "a key that lasts"
    cache.clear()


@pytest.fixture
def town(db, request) -> Town:
    """A founded town: authority, two banks' outlets, a clinic and a pharmacy, with their operators."""
    put_back(request.config.stash[FOUNDED])
    return town_again()


@pytest.fixture
def easy(town: Town) -> City:
    """The town of the tests, as a city."""
    return easy_city(town)


@pytest.fixture
def strict(town: Town) -> City:
    """The city beside it."""
    return strict_city(town)


@pytest.fixture
def new_store(django_db_setup, django_db_blocker, request, tmp_path):
    """Make another database of this kind, with every table and no row; its address."""

    def make(name="other"):
        if django_db_setup != "sqlite":
            with django_db_blocker.unblock():
                connection.close()  # as long as anybody uses the template it is not copied
            return server().new_database(TEMPLATE)
        return str(shutil.copyfile(request.config.stash[MIGRATED], tmp_path / f"{name}.sqlite"))

    return make


@pytest.fixture
def made_store(new_store):
    """The address of a database of the test's own, with every table and nothing in them: migrating takes seconds."""
    return new_store("own")


@pytest.fixture
def own_store(made_store, django_db_blocker, monkeypatch):
    """A database of the test's own: what is committed there stays, and threads and programs share it."""
    with django_db_blocker.unblock():
        connection.close()
        before = dict(connection.settings_dict)
        monkeypatch.setenv(DATABASE_VARIABLE, made_store)
        open_store(made_store)
        yield made_store
        connection.close()
        connections.settings["default"].update(before)
        del connections["default"]


@pytest.fixture
def on_server(own_store) -> bool:
    """Whether the test's own database is on a server."""
    return is_server(own_store)


@pytest.fixture
def lasting_town(own_store, request) -> Town:
    """The same town, committed to a database of its own."""
    put_back(request.config.stash[FOUNDED])
    return town_again()
