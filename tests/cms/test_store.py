"""The database file: what it promises, and that the migrations make what the models say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from kaguan.apdu.errors import RuleBroken
from kaguan.cms.models import Region
from kaguan.cms.rules import lifecycle
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.settings import database_settings
from kaguan.cms.store import open_store


def pragma(name):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


@pytest.mark.only_on("sqlite")
def test_every_commit_reaches_the_disk_before_it_is_answered(own_store):
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)


@pytest.mark.only_on("sqlite")
def test_the_file_and_its_journal_are_private(own_store, tmp_path):
    open_store(str(tmp_path / "new.sqlite"))
    Region.objects.create(code="990100")
    files = list(tmp_path.glob("new.sqlite*"))
    assert len(files) > 1
    assert [file for file in files if file.stat().st_mode & 0o077] == []
    open_store(own_store)


@pytest.mark.only_on("postgresql")
def test_every_commit_reaches_the_disk_of_the_server_before_it_is_answered(own_store):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')")
        assert cursor.fetchone() == ("on", "read committed")


def test_opening_again_keeps_what_is_there_and_another_address_is_another_store(own_store, new_store):
    Region.objects.create(code="990100")
    open_store(own_store)
    assert Region.objects.count() == 1
    open_store(new_store())
    assert Region.objects.count() == 0
    open_store(own_store)
    assert Region.objects.count() == 1


@pytest.mark.parametrize(
    "address",
    ["postgresql://somebody:secret@db/kaguan", "postgresql://db/kaguan?password=secret", "mysql://secret@db/kaguan"],
)
def test_no_password_in_an_address_and_no_other_server(address):
    with pytest.raises(RuleBroken, match=r"pgpass|mysql is no database") as refusal:
        database_settings(address)
    assert "secret" not in str(refusal.value)


def test_a_servers_address_in_full():
    wanted = database_settings("postgresql://clerk@db.example:5433/kaguan?sslmode=verify-full")
    assert [wanted[name] for name in ("NAME", "USER", "HOST", "PORT")] == ["kaguan", "clerk", "db.example", "5433"]
    assert wanted["OPTIONS"]["sslmode"] == "verify-full"
    assert database_settings("postgresql://clerk@/kaguan?host=/run/db")["HOST"] == "/run/db"
    assert database_settings("sqlite:////var/kaguan.sqlite")["NAME"] == "/var/kaguan.sqlite"


@pytest.mark.django_db
def test_the_migrations_make_what_the_models_say():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_program_does_not_start_with_an_unsound_table(monkeypatch):
    config = apps.get_app_config("cms")
    config.ready()
    monkeypatch.setattr(lifecycle, "AXES", (replace(lifecycle.PIN, transitions=lifecycle.PIN.transitions[:1]),))
    with pytest.raises(RuleTableError, match="axis PIN"):
        config.ready()
