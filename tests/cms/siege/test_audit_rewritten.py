"""Somebody who owns the database rewrites the log behind our back: the command names the line, or the checkpoint."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from kaguan.apdu.errors import InputError
from kaguan.cms import audit
from kaguan.cms.append_only import drop_guards
from kaguan.cms.auditing.checkpoints import make_checkpoint, read_checkpoints, verify_log
from kaguan.cms.cli import cms
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.refusals import ProofFailed
from kaguan.cms.signing import make_key

pytestmark = pytest.mark.slow

LINES = 9
KEY = Ed25519PrivateKey.generate()


def run(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def behind_our_back(*statements):
    """As a superuser does it: the guards are off while it is done, and on again afterwards."""
    on_server = connection.vendor == "postgresql"
    if on_server:
        run("SET LOCAL session_replication_role = replica")
    else:
        drop_guards(connection, ["cms_auditentry"])
    for sql, *values in statements:
        run(sql, *values)
    if on_server:
        run("SET LOCAL session_replication_role = origin")


@pytest.fixture
def log(db):
    """Nine lines of one lane."""
    for number in range(LINES):
        line = audit.AuditLine(datetime.now(UTC), "clerk", "SSB", f"act {number}", uuid4(), "done", {"card_no": number})
        audit.append(line)
    assert audit.verify_chain().entries == LINES


COLUMNS = "at, operator, institution, action, request_id, outcome, detail, previous_hash"
MOVE = "UPDATE cms_auditentry SET sequence = %s WHERE sequence = %s"
COPY = (
    f"INSERT INTO cms_auditentry (sequence, {COLUMNS}, hash) SELECT %s, {COLUMNS}, %s FROM cms_auditentry "  # noqa: S608
    "WHERE sequence = 4"
)


@pytest.mark.parametrize(
    ("deeds", "named"),
    [
        ([("UPDATE cms_auditentry SET operator = 'x' WHERE sequence = %s", 4)], "audit entry 4 "),
        ([("UPDATE cms_auditentry SET outcome = 'NotFound' WHERE sequence = %s", 1)], "audit entry 1 "),
        ([("DELETE FROM cms_auditentry WHERE sequence = %s", 4)], "audit entry 4 is missing"),
        ([("DELETE FROM cms_auditentry WHERE sequence = %s", 1)], "audit entry 1 is missing"),
        ([(MOVE, 99, 4), (MOVE, 4, 5), (MOVE, 5, 99)], "audit entry 4 "),
        ([(MOVE, 99, 8), (MOVE, 8, 9), (MOVE, 9, 99)], "audit entry 8 "),
        ([(COPY, 10, "f" * 64)], "audit entry 10 "),
        ([(COPY, 12, "f" * 64)], "audit entry 10 is missing"),
        ([(COPY, 0, "f" * 64)], "audit entry 0|audit entry 1 is missing"),
        ([(COPY, -1, "f" * 64)], "audit entry"),
        ([("DELETE FROM cms_auditentry WHERE sequence = %s", 4), (MOVE, 4, 9)], "audit entry 4 "),
    ],
    ids=["edited", "first edited", "removed", "first removed", "swapped", "last swapped", "added", "added far off",
         "put before", "below zero", "last in the place of another"],
)  # fmt: skip
def test_a_line_touched_behind_our_back_is_named(log, deeds, named):
    behind_our_back(*deeds)
    with pytest.raises(ProofFailed, match=named):
        audit.verify_chain()


def test_last_lines_that_were_cut_off_are_told_by_the_checkpoint_alone(log, tmp_path):
    file = tmp_path / "checkpoints"
    make_checkpoint(KEY, file)
    before = audit.verify_chain()
    behind_our_back(("DELETE FROM cms_auditentry WHERE sequence > %s", 6))
    assert audit.verify_chain().entries == 6
    with pytest.raises(ProofFailed, match="audit entry 7 is missing, and all to 9"):
        verify_log(read_checkpoints(file, KEY.public_key()))
    assert before.entries == LINES


def test_a_checkpoint_of_another_key_or_of_another_database_is_none(log, tmp_path):
    file = tmp_path / "checkpoints"
    make_checkpoint(KEY, file)
    with pytest.raises(ProofFailed, match=r"checkpoint 1 .* not signed by this key"):
        read_checkpoints(file, Ed25519PrivateKey.generate().public_key())
    sound = file.read_bytes()
    signature = sound.rpartition(b'"signature":"')[2][:128]
    for forged in (
        sound.replace(b"[0,9,", b"[0,8,"),
        sound[:-30] + b"\n",
        sound + sound,
        sound.replace(signature, b"zz" + signature[2:]),
        sound.replace(signature, signature[:-1]),
        sound.replace(signature, b""),
        bytes(50) + b"\n",
        sound[1:],
        b"\xff" + sound,
        b"[" * 100_000,
    ):
        assert forged != sound
        file.write_bytes(forged)
        with pytest.raises((ProofFailed, InputError)):
            verify_log(read_checkpoints(file, KEY.public_key()))


def test_the_command_names_it_and_ends_with_the_rules_exit_code(lasting_town, own_store, tmp_path):
    """By the door: first all is well, then a line is edited, then the newest are cut off under a checkpoint."""
    public, checkpoints = make_key(tmp_path / "audit.key"), tmp_path / "checkpoints"

    def door(*arguments):
        told = CliRunner().invoke(cms, ["audit", *map(str, arguments)], env={"KAGUAN_DB": own_store})
        code, words = (told.exception.exit_code, str(told.exception)) if told.exception else (0, "")
        del told
        gc.collect()  # with the refusal goes the question that was half answered
        return code, words

    signed = ("verify", "--checkpoints", checkpoints, "--public-key", public)
    assert door("checkpoint", "--key", tmp_path / "audit.key", "--checkpoints", checkpoints) == (0, "")
    assert door(*signed) == (0, "")
    newest = AuditEntry.objects.count()
    drop_guards(connection, ["cms_auditentry"])
    AuditEntry.objects.filter(sequence=newest).delete()
    assert door("verify") == (0, "")
    code, words = door(*signed)
    assert (code, f"audit entry {newest} is missing" in words) == (5, True)
    AuditEntry.objects.filter(sequence=3).update(operator="nobody")
    for command in (["verify"], signed, ["export", tmp_path / "log"]):
        code, words = door(*command)
        assert (code, "audit entry 3 " in words) == (5, True)
    assert not (tmp_path / "log").exists()
