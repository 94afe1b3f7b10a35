"""A database that is none, is held, or is offered what it cannot keep: an error for people, and its exit code."""

from __future__ import annotations

import sqlite3

import pytest
from click.testing import CliRunner
from django.db import connection

from kaguan.apdu.errors import InputError
from kaguan.cms.cli import cms
from kaguan.database import told_plainly
from kaguan.durable import DiskFailed, InUse


def asked(database, *words):
    """How `kaguan cms` ends over this database, asked by its administrator."""
    environment = {"KAGUAN_DB": str(database), "KAGUAN_OPERATOR": "admin", "KAGUAN_INSTITUTION": "SSB"}
    return CliRunner().invoke(cms, [str(word) for word in words], env=environment).exception


@pytest.fixture
def garbage(own_store, tmp_path):
    path = tmp_path / "garbage.sqlite"
    path.write_bytes(b"\xc4\x6e" * 4096)
    return path


@pytest.mark.only_on("sqlite")
def test_a_file_that_is_no_database(garbage):
    for words in (["card", "show", "A"], ["init", garbage], ["ledger", "verify"]):
        error = asked(garbage, *words)
        assert isinstance(error, InputError)
        assert "garbage.sqlite is no database of Kaguan" in str(error)
    assert garbage.read_bytes() == b"\xc4\x6e" * 4096


@pytest.mark.only_on("sqlite")
def test_a_file_that_another_program_holds(own_store):
    assert asked(own_store, "init", own_store) is None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    words = ["institution", "add", "ICBC-1", "--name", "outlet", "--kind", "outlet", "--bank-code", "95588"]
    other = sqlite3.connect(own_store, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = asked(own_store, *words)
    other.close()
    assert isinstance(error, InUse)
    assert "in use by another process" in str(error)
    assert asked(own_store, *words) is None


@pytest.mark.parametrize(
    "words",
    [
        ["card", "show", "\udcff"],
        ["holder", "show", "a\udc80"],
        ["institution", "add", "\udcff", "--name", "outlet", "--kind", "outlet"],
        ["init", "new.sqlite", "--administrator", "\udcff"],
    ],
)
def test_bytes_that_are_no_text(own_store, words):
    error = asked(own_store, *words)
    assert isinstance(error, InputError)
    assert "no UTF-8" in str(error)


def test_a_bug_stays_a_bug(tmp_path):
    database = sqlite3.connect(tmp_path / "db")
    with pytest.raises(sqlite3.OperationalError, match="syntax error"), told_plainly("db"):
        database.execute("SELEC 1")
    database.execute("CREATE TABLE t (n UNIQUE)")
    with pytest.raises(sqlite3.IntegrityError), told_plainly("db"):
        database.executemany("INSERT INTO t VALUES (?)", [(1,), (1,)])
    with pytest.raises(InputError, match="no such table"), told_plainly("db"):
        database.execute("SELECT * FROM missing")
    database.close()
    with pytest.raises(DiskFailed, match="unable to open"), told_plainly("db"):
        sqlite3.connect(tmp_path / "absent" / "db")
