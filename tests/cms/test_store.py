"""The database file: what it promises, and that the migrations make what the models say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from kaguan.apdu.errors import InputError
from kaguan.cms.models import Region
from kaguan.cms.rules import lifecycle
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.settings import database_settings
from kaguan.cms.store import open_store


def pragma(name):
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


def test_every_commit_reaches_the_disk_before_it_is_answered(own_store):
    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)


def test_the_file_and_its_journal_are_private(own_store):
    Region.objects.create(code="990100")
    files = list(Path(own_store).parent.glob("own.sqlite*"))
    assert len(files) > 1
    assert [file for file in files if file.stat().st_mode & 0o077] == []


def test_opening_again_keeps_what_is_there_and_another_path_is_another_store(own_store, tmp_path):
    Region.objects.create(code="990100")
    open_store(own_store)
    assert Region.objects.count() == 1
    open_store(str(tmp_path / "other.sqlite"))
    assert Region.objects.count() == 0
    open_store(own_store)
    assert Region.objects.count() == 1


def test_a_server_is_not_spoken_to_yet():
    with pytest.raises(InputError, match="postgresql") as refusal:
        database_settings("postgresql://somebody:secret@db/kaguan")
    assert "secret" not in str(refusal.value)


@pytest.mark.django_db
def test_the_migrations_make_what_the_models_say():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_program_does_not_start_with_an_unsound_table(monkeypatch):
    config = apps.get_app_config("cms")
    config.ready()
    monkeypatch.setattr(lifecycle, "AXES", (replace(lifecycle.PIN, transitions=lifecycle.PIN.transitions[:1]),))
    with pytest.raises(RuleTableError, match="axis PIN"):
        config.ready()
