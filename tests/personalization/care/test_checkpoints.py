"""Whoever edits, deletes, moves or cuts off entries behind our back is found, with the entry, in either database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kaguan.apdu.errors import InputError
from kaguan.personalization.care.checkpoints import (
    ENTRIES_APART,
    is_due,
    make_checkpoint,
    read_checkpoints,
    verify_checkpoints,
)
from kaguan.personalization.job.audit import ChainBroken, entries, note
from kaguan.personalization.job.database import Bureau
from kaguan.personalization.job.shifts import close_job
from kaguan.personalization.keystore import BUREAU_KEYS
from kaguan.vault.sealing import StoreKind
from kaguan.vault.software import SoftwareVault
from personalization.job.bureaus import open_job

pytestmark = pytest.mark.slow


def new_vault() -> SoftwareVault:
    """A vault with the bureau's own keys."""
    vault = SoftwareVault.empty(StoreKind.TEST)
    for order in BUREAU_KEYS:
        vault.generate(order.label, order.usage, order.algorithm, os.urandom, levels=order.levels)
    return vault


VAULT = new_vault()


@pytest.fixture
def bureau(database: str) -> Iterator[Bureau]:
    """A trail of twelve entries: 1 to 10, a checkpoint of the tenth, and one more."""
    with Bureau(database) as opened:
        add(opened, 10)
        assert make_checkpoint(opened, VAULT, "li")
        add(opened, 1)
        yield opened


def add(bureau: Bureau, count: int) -> None:
    with bureau.transaction() as connection:
        for number in range(count):
            note(connection, None, "li", "shift opened", shift=number, name="早班")


def behind_our_back(bureau: Bureau, *statements: str) -> None:
    """These statements are done by somebody who may do anything with the database."""
    with bureau.transaction() as connection:
        if bureau.embedded:
            names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
            for name in names.all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS event_kept ON event")
        for statement in statements:
            connection.execute(text(statement))


def rewrite(bureau: Bureau, *, first: int, last: int) -> None:
    """The trail has other entries from the first on, chained as they should be, without a key."""
    with bureau.transaction() as connection:
        connection.execute(text("DELETE FROM event WHERE id >= :first"), {"first": first})
        for _ in range(first, last + 1):
            note(connection, None, "mallory", "nothing happened")


@pytest.mark.parametrize(
    "statement", ["UPDATE event SET actor = 'x'", "DELETE FROM event", "DELETE FROM event WHERE id = 3"]
)
def test_the_database_itself_refuses_changes(bureau: Bureau, statement: str) -> None:
    with pytest.raises(DBAPIError, match="only ever added to"), bureau.transaction() as connection:
        connection.execute(text(statement))
    assert verify_checkpoints(bureau, VAULT).entries == 12


def test_postgresql_refuses_to_truncate_too(bureau: Bureau) -> None:
    if bureau.embedded:
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DBAPIError, match="only ever added to"), bureau.transaction() as connection:
        connection.execute(text("TRUNCATE event"))


def test_a_whole_trail_holds(bureau: Bureau) -> None:
    found = verify_checkpoints(bureau, VAULT)
    assert (found.entries, found.signed, found.checkpoints, found.foreign) == (12, 10, 1, 0)
    assert found.digest == [entry.digest.hex() for entry in entries(bureau)][-1]
    assert verify_checkpoints(bureau, None).entries == 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE event SET actor = 'mallory' WHERE id = 4", r"entry 4 \(mallory"),
        ('UPDATE event SET details = \'{"shift": 99, "name": "x"}\' WHERE id = 4', "entry 4 .* was changed"),
        ("UPDATE event SET details = ' ' || details WHERE id = 4", "entry 4 .* was changed"),
        ("UPDATE event SET details = 'no JSON' WHERE id = 4", "entry 4 was changed"),
        ("UPDATE event SET at = at + 1 WHERE id = 4", "entry 4 .* was changed"),
        ("UPDATE event SET job = 7 WHERE id = 4", "entry 4 .* was changed"),
        ("UPDATE event SET action = 'checkpoint' WHERE id = 4", "entry 4 .* was changed"),
        ("DELETE FROM event WHERE id = 4", "entry 4 is missing: entry 5"),
        ("DELETE FROM event WHERE id = 1", "entry 1 is missing: entry 2"),
        ("DELETE FROM event WHERE id = 12", None),
    ],
)
def test_an_edited_or_deleted_entry_is_named(bureau: Bureau, change: str, message: str | None) -> None:
    behind_our_back(bureau, change)
    if message is None:  # nothing in the trail says that there was more: the next test does
        assert verify_checkpoints(bureau, VAULT).entries == 11
        return
    with pytest.raises(ChainBroken, match=message):
        verify_checkpoints(bureau, VAULT)


def test_two_entries_that_changed_places_are_found(bureau: Bureau) -> None:
    swap = [f"UPDATE event SET id = {new} WHERE id = {old}" for old, new in ((4, 99), (5, 4), (99, 5))]  # noqa: S608
    behind_our_back(bureau, *swap)
    with pytest.raises(ChainBroken, match=r"entry 4 .* was changed"):
        verify_checkpoints(bureau, VAULT)


@pytest.mark.parametrize("left", [11, 10, 5, 0])
def test_a_trail_that_was_cut_off_is_found_by_a_checkpoint_elsewhere(bureau: Bureau, tmp_path: Path, left: int) -> None:
    kept = tmp_path / "checkpoints"
    assert make_checkpoint(bureau, VAULT, "li", kept)
    add(bureau, 1)
    assert make_checkpoint(bureau, VAULT, "li", kept)
    assert verify_checkpoints(bureau, VAULT, read_checkpoints(kept)).entries == 15
    assert len(read_checkpoints(kept)) == 2
    assert kept.stat().st_mode & 0o777 == 0o600
    behind_our_back(bureau, f"DELETE FROM event WHERE id > {left}")  # noqa: S608
    with pytest.raises(ChainBroken, match=f"entry {left + 1} is missing, and all to"):
        verify_checkpoints(bureau, VAULT, read_checkpoints(kept))


def test_a_trail_that_was_rewritten_does_not_fit_its_checkpoint(bureau: Bureau, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoints"
    assert make_checkpoint(bureau, VAULT, "li", kept)
    with bureau.transaction() as connection:
        honest = connection.execute(text("SELECT action, details FROM event WHERE id = 11")).one()
    behind_our_back(bureau)
    rewrite(bureau, first=4, last=10)
    with bureau.transaction() as connection:  # the checkpoint is put in again, chained as it should be
        note(connection, None, "li", honest.action, **json.loads(honest.details))
    with pytest.raises(ChainBroken, match="an audit entry from 1 to 10 was changed"):
        verify_checkpoints(bureau, VAULT)
    rewrite(bureau, first=4, last=13)
    assert verify_checkpoints(bureau, VAULT).checkpoints == 0
    with pytest.raises(ChainBroken, match="an audit entry from 1 to 12 was changed"):
        verify_checkpoints(bureau, VAULT, read_checkpoints(kept))


def test_a_checkpoint_that_somebody_else_signed_is_no_checkpoint(bureau: Bureau, tmp_path: Path) -> None:
    other = new_vault()
    behind_our_back(bureau)
    rewrite(bureau, first=1, last=10)
    make_checkpoint(bureau, other, "mallory")
    with pytest.raises(ChainBroken, match="none of 1 checkpoints is signed by this key store"):
        verify_checkpoints(bureau, VAULT)
    assert verify_checkpoints(bureau, other).signed == 10
    forged = tmp_path / "checkpoints"
    made = make_checkpoint(bureau, VAULT, "li", forged)
    assert made
    forged.write_text(forged.read_text().replace(made.digest, "00" * 32))
    with pytest.raises(ChainBroken, match="kept elsewhere is not signed by the key that it names"):
        verify_checkpoints(bureau, VAULT, read_checkpoints(forged))
    for line in ("{}", "[]", "x", '{"entry": "1", "digest": "", "at": 0, "key": "", "mac": ""}'):
        forged.write_text(line)
        with pytest.raises(InputError, match="line 1: this is no checkpoint"):
            read_checkpoints(forged)


def test_an_entry_that_says_it_is_a_checkpoint_is_looked_at(bureau: Bureau) -> None:
    with bureau.transaction() as connection:
        note(connection, None, "li", "checkpoint", entry=99)
    with pytest.raises(ChainBroken, match="entry 13 says that it is a checkpoint and is none"):
        verify_checkpoints(bureau, VAULT)


def test_a_closed_job_without_its_entry_shows_that_the_end_is_gone(database: str) -> None:
    with Bureau(database) as bureau:
        job = open_job(bureau, rows=0)
        assert not is_due(bureau)
        assert close_job(job, "li")
        assert is_due(bureau)
        make_checkpoint(bureau, VAULT, "li")
        assert not is_due(bureau)
        verify_checkpoints(bureau, VAULT)
        behind_our_back(bureau, "DELETE FROM event")
        with pytest.raises(ChainBroken, match="job night has no entry 'job closed'"):
            verify_checkpoints(bureau, VAULT)


def test_a_checkpoint_is_due_after_so_many_entries(database: str) -> None:
    with Bureau(database) as bureau:
        assert make_checkpoint(bureau, VAULT, "li") is None
        add(bureau, ENTRIES_APART - 1)
        assert not is_due(bureau)
        add(bureau, 1)
        assert is_due(bureau)
        assert make_checkpoint(bureau, VAULT, "li")
        assert not is_due(bureau)
        assert verify_checkpoints(bureau, VAULT).signed == ENTRIES_APART
