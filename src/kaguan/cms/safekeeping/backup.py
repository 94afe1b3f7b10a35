"""Back the books up into one file, and restore them from it into an empty database of either kind.

Law 1. A backup is one moment of the books, whoever works with them meanwhile.
Law 2. A restore is proved before it is committed: rows, their digests, the ledger's total, the audit log's head.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

from django.db import IntegrityError, connection, transaction

from kaguan.apdu.errors import InputError, RuleBroken
from kaguan.cms.audit import verify_chain
from kaguan.cms.canonical import canonical
from kaguan.cms.ledger.proof import total, verify_books
from kaguan.cms.rules.refusals import ProofFailed
from kaguan.cms.safekeeping.dump import WHAT, RowsProof, header, read_line, restore_rows, row_lines, tables
from kaguan.cms.safekeeping.sealing import Sealing, Unsealing, is_sealed, require_no_vault
from kaguan.durable import whole_file
from kaguan.vault.vault import KeyVault

_TRAILER: Final = "trailer"


class Kept(NamedTuple):
    """What a backup holds: its rows, the ledger's total in fen, the audit log's lines and head, the file's digest."""

    rows: int
    ledger_fen: int
    audit_entries: int
    audit_head: str
    sha256: str


def back_up(file: Path, vault: KeyVault | None = None) -> Kept:
    """Leave every row of the books in the file, for its owner only, sealed by the vault if one is given.

    Raises:
        ProofFailed: the books or the audit log do not hold; the file is then what it was before.
    """
    with _one_moment(), whole_file(file, mode=0o600) as stream:
        proof = _proof_of_books()
        written = Sealing(stream, vault) if vault else None
        with gzip.GzipFile(fileobj=written or stream, mode="wb", mtime=0) as packed:
            digest = hashlib.sha256()

            def write(line: bytes) -> None:
                digest.update(line + b"\n")
                packed.write(line + b"\n")

            write(canonical(header()))
            rows = RowsProof()
            for table, line in row_lines():
                rows.add(table, line)
                write(line)
            trailer = {_TRAILER: {**rows.told(), **proof, "sha256": digest.hexdigest()}}
            packed.write(canonical(trailer) + b"\n")
        if written:
            written.close()
    return _kept(trailer[_TRAILER])


def restore(file: Path, vault: KeyVault | None = None) -> Kept:
    """Leave the books of the file in the opened database, which was empty; nothing is left of a restore that fails.

    Raises, in this order:
        RuleBroken: the database has rows.
        InputError: no backup, one of another version of Kaguan, cut off, or changed.
        VaultError: sealed by another key store, or changed.
        ProofFailed: what was restored is not what was backed up.
    """
    try:
        with file.open("rb") as stream, transaction.atomic(durable=True):
            _require_empty()
            with _opened(stream, vault) as packed:
                said = _restore_lines(packed)
            _require_same(_rows_now().told(), said, "rows")
            _require_same(_proof_of_books(), said, "books")
    except IntegrityError:  # as late as the commit
        raise InputError("a row of the backup belongs to one that is not in it: take another copy of it") from None
    return _kept(said)


def _restore_lines(packed: BinaryIO) -> dict[str, Any]:
    digest = hashlib.sha256()
    first = read_line(packed)
    ours = header()
    if not isinstance(first, dict) or first.get("what") != WHAT:
        raise InputError("this is no backup of card management")
    if any(first.get(name) != ours[name] for name in ("migrations", "tables")):
        raise InputError("the backup is of another version of Kaguan: restore it with that one, then migrate")
    digest.update(canonical(first) + b"\n")
    said: dict[str, Any] = {}

    def rows() -> Iterator[list[Any]]:
        while True:
            line = read_line(packed)
            if isinstance(line, dict):
                said.update(line.get(_TRAILER) or {})
                if packed.read(1):  # and gzip compares its own sum at the end
                    raise InputError("something follows the end of the backup: take another copy of it")
                return
            digest.update(canonical(line) + b"\n")
            yield line

    found = RowsProof()
    restore_rows(rows(), found)
    told = {name: said.get(name) for name in ("rows", "sum", "sha256")}
    if canonical(told) != canonical({**found.told(), "sha256": digest.hexdigest()}):
        raise InputError("the backup was changed, or rows of it are missing: take another copy of it")
    return said


def _proof_of_books() -> dict[str, object]:
    verify_books()
    return {"ledger_fen": total(), "audit": list(verify_chain())}


def _rows_now() -> RowsProof:
    proof = RowsProof()
    for table, line in row_lines():
        proof.add(table, line)
    return proof


def _require_same(now: dict[str, object], said: dict[str, Any], what: str) -> None:
    if canonical(now) != canonical({name: said.get(name) for name in now}):
        raise ProofFailed(f"the {what} that were restored are not those of the backup: nothing was kept")


def _require_empty() -> None:
    for model in tables():
        manager: Any = model._default_manager
        if manager.exists():
            raise RuleBroken(f"the database has rows in {model._meta.db_table} already: restore into a new one")


def _kept(said: dict[str, Any]) -> Kept:
    entries, head = said["audit"]
    return Kept(sum(said["rows"].values()), said["ledger_fen"], entries, head, said["sha256"])


@contextmanager
def _one_moment() -> Iterator[None]:
    """Within the context the database shows one moment, and nobody has to wait for us."""
    on_server = connection.vendor == "postgresql"
    mode = getattr(connection, "transaction_mode", None)
    if not on_server:
        connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with transaction.atomic(durable=True):
            if on_server:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        if not on_server:
            connection.transaction_mode = mode  # type: ignore[attr-defined]


@contextmanager
def _opened(stream: io.BufferedReader, vault: KeyVault | None) -> Iterator[BinaryIO]:
    source: Any = stream
    if is_sealed(stream):
        if vault is None:
            raise InputError("the backup is sealed: name the key store that sealed it with --keys")
        source = io.BufferedReader(Unsealing(stream, vault))
    else:
        require_no_vault(vault)
    try:
        with gzip.GzipFile(fileobj=source, mode="rb") as packed:
            yield cast("BinaryIO", packed)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"this is no backup, or it is cut off ({error})") from None
