"""A backup that was forged by somebody who computes every digest anew: refused, and nothing of it is left."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest

from kaguan.apdu.errors import KaguanError
from kaguan.cms.canonical import canonical
from kaguan.cms.models import AuditEntry, Holder, Receipt
from kaguan.cms.safekeeping.backup import back_up, restore
from kaguan.cms.safekeeping.dump import RowsProof, header
from kaguan.cms.store import open_store

pytestmark = pytest.mark.slow


def names():
    return list(header()["tables"])


def packed(lines):
    """A backup of these lines, with a trailer that fits them as far as that can be computed."""
    digest, proof = hashlib.sha256(), RowsProof()
    for number, line in enumerate(lines):
        digest.update(line + b"\n")
        if number:
            try:
                row = json.loads(line)
                proof.add(names()[int(row[0])], canonical(row))
            except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
                pass
    trailer = {"trailer": {**proof.told(), "ledger_fen": 0, "audit": [0, "0" * 64], "sha256": digest.hexdigest()}}
    return gzip.compress(b"\n".join([*lines, canonical(trailer)]) + b"\n")


def row_of(table, **values):
    columns = header()["tables"][table]
    return canonical([names().index(table), *(values.get(name) for name in columns)])


HOLDER = {"id": 1, "cert_type": "01", "cert_no": "1", "name": "n", "region_id": "990100"}
ROWS = {
    "a number too large": lambda: row_of("cms_holder", **{**HOLDER, "id": 2**70}),
    "a text as a number": lambda: row_of("cms_holder", **{**HOLDER, "id": "=1+1"}),
    "a list as a text": lambda: row_of("cms_holder", **{**HOLDER, "name": ["x"] * 3}),
    "nothing where something is": lambda: row_of("cms_holder", **{**HOLDER, "name": None}),
    "nobody's region": lambda: row_of("cms_holder", **{**HOLDER, "region_id": "999999"}),
    "a table that is none": lambda: b"[999,1]",
    "a table below all": lambda: b"[-1,1]",
    "a row too short": lambda: b"[1]",
    "no row": lambda: b"7",
    "nothing": lambda: b"null",
    "deep": lambda: b"[" * 100_000 + b"]" * 100_000,
    "a number of many digits": lambda: b"[" + b"9" * 6_000 + b"]",
    "infinite": lambda: b"[1e999]",
    "no number": lambda: b"[NaN]",
    "a cipher of many bytes": lambda: b"\xff\xfe",
}


TRAILERS = [b'{"trailer": "x"}', b'{"trailer": [1]}', b'{"trailer": {"rows": 7}}', b"{}"]


def test_nothing_forged_leaves_anything(lasting_town, own_store, new_store, tmp_path):
    """All into one empty database, which has to stay so."""
    back_up(tmp_path / "sound")
    sound = gzip.decompress((tmp_path / "sound").read_bytes()).splitlines()
    open_store(new_store())
    forged = {what: packed([canonical(header()), forge()]) for what, forge in ROWS.items()}
    forged |= {trailer: gzip.compress(b"\n".join([*sound[:-1], trailer]) + b"\n") for trailer in TRAILERS}
    for what, content in forged.items():
        (tmp_path / "forged").write_bytes(content)
        with pytest.raises(KaguanError):
            restore(tmp_path / "forged")
        assert not Holder.objects.exists(), what
        assert not AuditEntry.objects.exists(), what
    assert restore(tmp_path / "sound").audit_entries > 0
    open_store(own_store)
    assert Receipt.objects.exists()
