"""The audit log tells of every change to it, and gives nobody away."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from hypothesis import given
from hypothesis import strategies as st

from cms.town import CERT_NO, NAME
from kaguan.cms import audit
from kaguan.cms.append_only import drop_guards
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.refusals import ProofFailed

COLUMNS = ["at", "operator", "institution", "action", "request_id", "outcome", "detail", "previous_hash", "hash"]
FORGED = {
    "at": "2020-01-01 00:00:00",
    "request_id": uuid4().hex,
    "detail": '{"card_no": "990100009"}',
    "previous_hash": "f" * 64,
    "hash": "e" * 64,
}


def run(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def without_guards():
    """What somebody with the database file and no scruples can do."""
    drop_guards(connection, ["cms_auditentry"])


@pytest.fixture
def log(town):
    town.active_card()
    town.credit()
    head = audit.verify_chain()
    assert head == (AuditEntry.objects.count(), AuditEntry.objects.latest("sequence").hash)
    return head


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_line_is_named(log, column):
    without_guards()
    run(f"UPDATE cms_auditentry SET {column} = %s WHERE sequence = 7", FORGED.get(column, "forged"))  # noqa: S608
    with pytest.raises(ProofFailed, match="audit entry 7 "):
        audit.verify_chain()


def test_a_lost_line_is_named(log):
    without_guards()
    run("DELETE FROM cms_auditentry WHERE sequence = 7")
    with pytest.raises(ProofFailed, match="audit entry 7 is missing"):
        audit.verify_chain()


def test_lost_newest_lines_show_in_the_head(log):
    without_guards()
    run("DELETE FROM cms_auditentry WHERE sequence = %s", log.entries)
    shorter = audit.verify_chain()
    assert shorter.entries == log.entries - 1
    assert shorter.head != log.head


def test_a_rehashed_line_breaks_the_next(log):
    without_guards()
    entry = AuditEntry.objects.get(sequence=7)
    entry.operator = "forged"
    entry.hash = audit._hash(vars(entry))
    entry.save()
    with pytest.raises(ProofFailed, match="audit entry 8 "):
        audit.verify_chain()


@pytest.mark.parametrize("sql", ["DELETE FROM cms_auditentry", "UPDATE cms_auditentry SET operator = 'x'"])
def test_the_database_itself_refuses_to_rewrite_the_log(log, sql):
    with pytest.raises(DatabaseError, match="append-only"):
        run(sql)


@pytest.mark.acceptance("S0-18")
def test_nobody_is_given_away(log):
    everything = str(list(AuditEntry.objects.values_list()))
    assert CERT_NO not in everything
    assert NAME not in everything
    assert "6229999900000001" not in everything


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["pin", "tac", "mac", "key", "password"])
def test_secrets_are_a_bug(secret):
    line = audit.AuditLine(datetime.now(UTC), "a", "b", "c", uuid4(), "done", {secret: "123456"})
    with pytest.raises(AssertionError):
        audit.append(line)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=6), st.data())
def test_any_one_change_is_found_at_its_place(actions, data):
    entries, head = [], audit.FIRST_HASH
    for sequence, action in enumerate(actions, start=1):
        entry = AuditEntry(sequence=sequence, action=action, at=datetime(2026, 1, 1, tzinfo=UTC), previous_hash=head)
        entry.hash = head = audit._hash(vars(entry))
        entries.append(entry)
    assert audit.check_chain(entries) == (len(actions), head)
    place = data.draw(st.integers(0, len(entries) - 1))
    entries[place].action += "!"
    with pytest.raises(ProofFailed, match=f"audit entry {place + 1} "):
        audit.check_chain(entries)
