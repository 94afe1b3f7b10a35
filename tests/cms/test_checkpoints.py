"""Checkpoints outside the database tell of what the chain alone cannot show; exports carry the proof with them."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms import audit
from kaguan.cms.append_only import drop_guards
from kaguan.cms.auditing.checkpoints import make_checkpoint, read_checkpoints, verify_log
from kaguan.cms.auditing.exporting import ExportForm, export_log
from kaguan.cms.models import AuditEntry
from kaguan.cms.rules.refusals import ProofFailed
from kaguan.cms.signing import make_key, read_key, read_public_key

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key()


def say(action="look", **detail):
    return audit.append(audit.AuditLine(datetime.now(UTC), "clerk", "SSB", action, uuid4(), "done", detail))


def rewrite_from(sequence):
    """What somebody does who owns the database and knows the hash: one line other, all after it chained to it."""
    drop_guards(connection, ["cms_auditentry"])
    head = None
    for entry in AuditEntry.objects.filter(sequence__gte=sequence).order_by("sequence"):
        if head is None:
            entry.operator = "nobody"
        else:
            entry.previous_hash = head
        entry.hash = head = audit._hash(vars(entry))
        entry.save()


@pytest.fixture
def file(db, tmp_path):
    """Two checkpoints, at line 4 and at line 8 of twelve."""
    path = tmp_path / "checkpoints.jsonl"
    for _ in range(2):
        for _ in range(4):
            say()
        make_checkpoint(KEY, path)
    for _ in range(4):
        say()
    return path


def verified(file):
    return verify_log(read_checkpoints(file, PUBLIC))


def test_an_honest_log_fits(file):
    verdict = verified(file)
    assert (verdict.entries, verdict.signed, verdict.checkpoints) == (12, 8, 2)
    assert (verdict.entries, verdict.head) == audit.verify_chain()
    assert file.stat().st_mode & 0o077 == 0


def test_a_chain_rewritten_from_some_line_on_is_found(file):
    rewrite_from(6)
    assert audit.verify_chain().entries == 12
    with pytest.raises(ProofFailed, match=r"from 5 to 8 was changed.*checkpoint 2 does not fit"):
        verified(file)


def test_what_no_checkpoint_has_seen_is_not_found_yet(file):
    rewrite_from(9)
    assert verified(file).signed == 8


def test_a_cut_tail_is_found(file):
    drop_guards(connection, ["cms_auditentry"])
    AuditEntry.objects.filter(sequence__gt=6).delete()
    assert audit.verify_chain().entries == 6
    with pytest.raises(ProofFailed, match="audit entry 7 is missing, and all to 8"):
        verified(file)


def test_an_emptied_log_is_found(file):
    drop_guards(connection, ["cms_auditentry"])
    AuditEntry.objects.all().delete()
    with pytest.raises(ProofFailed, match="audit entry 1 is missing"):
        verified(file)


@pytest.mark.parametrize("tamper", [lambda: rewrite_from(6), lambda: rewrite_from(8)])
def test_nothing_rewritten_is_signed(file, tamper):
    before = file.read_bytes()
    tamper()
    with pytest.raises(ProofFailed, match="audit entry 8 is not what the last checkpoint signed"):
        make_checkpoint(KEY, file)
    assert file.read_bytes() == before


def test_a_line_changed_since_the_last_checkpoint_is_not_signed(file):
    drop_guards(connection, ["cms_auditentry"])
    AuditEntry.objects.filter(sequence=10).update(operator="nobody")
    with pytest.raises(ProofFailed, match="audit entry 10 "):
        make_checkpoint(KEY, file)


def test_a_forged_a_changed_and_a_missing_checkpoint_are_named(file):
    first, second = file.read_text().splitlines()
    with pytest.raises(ProofFailed, match=r"checkpoint 1 .* not signed by this key"):
        read_checkpoints(file, Ed25519PrivateKey.generate().public_key())
    file.write_text(first.replace('"number":1', '"number":2') + "\n")
    with pytest.raises(ProofFailed, match=r"checkpoint 1 .* not signed"):
        read_checkpoints(file, PUBLIC)
    file.write_text(second + "\n")
    with pytest.raises(ProofFailed, match="one was taken out"):
        read_checkpoints(file, PUBLIC)
    for none in ("{}", "[]", "x", '{"lanes": 1}', '{"lanes": [], "colour": 1}'):
        file.write_text(f"{first}\n{none}\n")
        with pytest.raises(InputError, match="line 2: this is no checkpoint"):
            read_checkpoints(file, PUBLIC)


def test_a_key_is_private_and_never_written_over(tmp_path):
    public_file = make_key(tmp_path / "audit.key")
    key = read_key(tmp_path / "audit.key")
    assert (tmp_path / "audit.key").stat().st_mode & 0o077 == 0
    read_public_key(public_file).verify(key.sign(b"x"), b"x")
    with pytest.raises(RuleBroken, match="there already"):
        make_key(tmp_path / "audit.key")
    (tmp_path / "audit.key").chmod(0o640)
    with pytest.raises(RuleBroken, match="read by others"):
        read_key(tmp_path / "audit.key")
    for read in (read_key, read_public_key):
        (tmp_path / "none").write_bytes(b"none")
        (tmp_path / "none").chmod(0o600)
        with pytest.raises(InputError):
            read(tmp_path / "none")


def test_exported_lines_can_be_checked_without_us(file, tmp_path):
    assert export_log(tmp_path / "log.jsonl", ExportForm.JSON_LINES) == 12
    head = "0" * 64
    for line in (tmp_path / "log.jsonl").read_bytes().splitlines():
        entry = json.loads(line)
        said = entry.pop("hash")
        assert entry["previous_hash"] == head
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        head = hashlib.sha256(text.encode()).hexdigest()
        assert head == said
    assert head == audit.verify_chain().head
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1"])
def test_no_cell_of_an_export_is_computed(db, tmp_path, formula):
    audit.append(audit.AuditLine(datetime.now(UTC), formula, "SSB", formula, uuid4(), "done", {"why": formula}))
    export_log(tmp_path / "log.csv", ExportForm.CSV)
    header, row = csv.reader((tmp_path / "log.csv").read_text("utf-8-sig").splitlines())
    cells = dict(zip(header, row, strict=True))
    assert cells["operator"] == cells["action"] == f"'{formula}"
    assert not any(cell.lstrip()[:1] in "=+-@" for cell in row if cell)


def test_a_log_that_does_not_hold_is_not_exported(file, tmp_path):
    rewrite_from(3)
    AuditEntry.objects.filter(sequence=5).update(operator="x")
    with pytest.raises(ProofFailed):
        export_log(tmp_path / "log.jsonl", ExportForm.JSON_LINES)
    assert not (tmp_path / "log.jsonl").exists()
