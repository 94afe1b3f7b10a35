"""`kaguan perso status` on what is no job."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from kaguan.personalization.line.terms import DATABASE
from terminal.doors import call


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"\xc4\x6e" * 4096)
    ended = call("perso", "status", tmp_path)
    assert ended.code == 7
    assert "is no database of Kaguan" in ended.complaint


def test_a_database_with_half_of_a_jobs_tables(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / DATABASE)
    database.execute("CREATE TABLE job (x)")
    database.close()
    ended = call("perso", "status", tmp_path)
    assert ended.code == 7
    assert "no such column" in ended.complaint
