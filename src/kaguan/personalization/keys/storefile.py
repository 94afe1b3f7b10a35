"""A managed key store: one SQLite file with the sealed vault, the register of its keys, its custodians and its record.

Law 1. Whatever a step changes, it changes in one transaction: a kill at any moment leaves it done or not begun.
Law 2. A store is created whole under another name and then named: half a store does not exist.
Law 3. Every row of the register, and the end of the record, carries a tag that only the opened vault can make; what is
       changed by hand stops the store. Custodians are those whom the record introduces, and no others.
Law 4. Counters only grow, but for reserved uses that come back.

Who puts yesterday's file back has yesterday's counters too: no file can prevent that. An HSM's counter can, and the
record's last digest on paper tells.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from kaguan.apdu.errors import InputError, VaultError
from kaguan.database import told_plainly
from kaguan.durable import PART, InUse, sync_folder
from kaguan.vault.ciphers import Algorithm
from kaguan.vault.custodian import Custodian, CustodianUnknown
from kaguan.vault.guard import KeyState
from kaguan.vault.record import Entry, verify_record
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import CheckValue
from kaguan.vault.share import custodian_name
from kaguan.vault.vault import KeyAbsent, KeyInfo, KeyPresent, KeyRef, Usage

MAGIC = b"SQLite format 3\0"
_APPLICATION_ID = 0x4B47_4B59
_WAIT_SECONDS = 60.0
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, kind TEXT NOT NULL, sealed BLOB NOT NULL,
    record_tag BLOB NOT NULL
);
CREATE TABLE key (
    label TEXT NOT NULL, version INTEGER NOT NULL, algorithm TEXT NOT NULL, usage TEXT NOT NULL,
    check_value TEXT NOT NULL, levels INTEGER NOT NULL, state TEXT NOT NULL,
    used INTEGER NOT NULL, most INTEGER, tag BLOB NOT NULL, PRIMARY KEY (label, version)
);
CREATE TABLE custodian (name TEXT PRIMARY KEY, public BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE record (number INTEGER PRIMARY KEY, line TEXT NOT NULL);
"""
_KEY_COLUMNS = "label, version, algorithm, usage, check_value, levels, state, used, most, tag"

Tag = Callable[[bytes], bytes]


class RegisterBroken(VaultError):
    """The register does not agree with the vault: it was changed by something else than Kaguan."""


class KeyRow(NamedTuple):
    """One key of the register. `most` is how many uses it may see, or None when that is not limited."""

    info: KeyInfo
    state: KeyState
    used: int = 0
    most: int | None = None

    @property
    def name(self) -> tuple[str, int]:
        """Label and version."""
        return self.info.label, self.info.version

    def columns(self) -> tuple[str | int | None, ...]:
        """What stands in the table, but for the tag."""
        i = self.info
        texts = (i.label, i.version, i.algorithm.value, i.usage.value, str(i.check_value), i.levels)
        return (*texts, self.state.value, self.used, self.most)


class Changes(NamedTuple):
    """What a step writes. `sealed` is the vault when its keys changed."""

    entry: Entry
    sealed: bytes | None = None
    new_keys: tuple[KeyRow, ...] = ()
    states: Mapping[tuple[str, int], KeyState] = {}
    new_custodians: tuple[Custodian, ...] = ()


class StoreFile:
    """An open store file. Use it as a context; one per process and thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise VaultError(f"{path}: there is no such key store")
        with told_plainly(path):
            self._connection = _connected(path)
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        if application != _APPLICATION_ID:
            self._connection.close()
            raise InputError(f"{path} is a database, but no key store of Kaguan: name the right file")

    @classmethod
    def create(cls, path: Path, kind: StoreKind, store_id: str, changes: Changes, tag: Tag) -> None:
        """The store exists, with what the changes say. Only for who holds the store's lock.

        Raises:
            KeyPresent: there is something of that name already.
        """
        if path.exists():
            raise KeyPresent(f"{path} exists already")
        assert changes.sealed is not None  # noqa: S101 - a store begins with a vault
        for left in path.parent.glob(f".{path.name}.*{PART}*"):
            left.unlink()
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            with told_plainly(part), closing(_connected(part)) as connection:
                connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
                values = (store_id, kind.value, changes.sealed)
                connection.execute("INSERT INTO store VALUES (1, ?, ?, ?, x'')", values)
            with cls(part) as store:
                store.commit(changes, tag)
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """The file is closed."""
        self._connection.close()

    @property
    def kind(self) -> StoreKind:
        """Test or live, as the file says; the sealed vault has the last word."""
        return StoreKind(str(self._one("kind")))

    @property
    def store_id(self) -> str:
        """The store's number, drawn when it was made."""
        return str(self._one("id"))

    @property
    def sealed(self) -> bytes:
        """The sealed vault."""
        blob = self._one("sealed")
        return blob if isinstance(blob, bytes) else b""

    def rows(self) -> list[KeyRow]:
        """Every key, by label and version, as the register says; not authenticated."""
        return [row for row, _ in self._tagged_rows()]

    def checked_rows(self, tag: Tag) -> list[KeyRow]:
        """Every key, by label and version.

        Raises:
            RegisterBroken: a row was changed by hand.
        """
        checked = []
        for row, found in self._tagged_rows():
            self._require_tag(row, found, tag)
            checked.append(row)
        return checked

    def custodian(self, name: str) -> Custodian:
        """The custodian of this name.

        Raises:
            CustodianUnknown: nobody is called that.
        """
        name = custodian_name(name)
        for custodian in self.custodians():
            if custodian.name == name:
                return custodian
        raise CustodianUnknown(f"{self.path} knows no custodian {name}")

    def custodians(self) -> list[Custodian]:
        """All of them, by name."""
        with told_plainly(self.path):
            rows = self._connection.execute("SELECT name, public, sealed FROM custodian ORDER BY name").fetchall()
        return [Custodian(*row) for row in rows]

    def record_lines(self) -> list[str]:
        """The record, as `verify_record` takes it."""
        with told_plainly(self.path):
            return [line for (line,) in self._connection.execute("SELECT line FROM record ORDER BY number")]

    def record(self) -> list[Entry]:
        """The record, verified.

        Raises:
            RecordBroken: it is not what it was.
        """
        return verify_record(self.record_lines())

    def checked_record(self, tag: Tag) -> list[Entry]:
        """The record, verified, up to the entry that was written last.

        Raises:
            RecordBroken: it is not what it was.
            RegisterBroken: its end is missing, or the custodians are not those of the record.
        """
        entries = self.record()
        introduced = {name: key for entry in entries for name, key in entry.custodians.items()}
        found = self._one("record_tag")
        whole = isinstance(found, bytes) and secrets.compare_digest(found, tag(self._ending(entries[-1])))
        if not whole or introduced != {custodian.name: custodian.public.hex() for custodian in self.custodians()}:
            raise RegisterBroken(
                f"{self.path}: its record or its custodians were changed: restore the store and ask why"
            )
        return entries

    def commit(self, changes: Changes, tag: Tag) -> None:
        """All that the changes say is in the file, at once.

        Raises:
            InUse: another step came between.
            KeyPresent: a new key is there already.
        """
        with self._transaction() as connection:
            (last,) = connection.execute("SELECT max(number) FROM record").fetchone()
            if changes.entry.number != (last or 0) + 1:
                raise InUse(f"somebody else changed {self.path} in the meantime: look at it and begin again")
            connection.execute("INSERT INTO record VALUES (?, ?)", (changes.entry.number, changes.entry.line))
            connection.execute("UPDATE store SET record_tag = ?", (tag(self._ending(changes.entry)),))
            if changes.sealed is not None:
                connection.execute("UPDATE store SET sealed = ?", (changes.sealed,))
            for custodian in changes.new_custodians:
                values = (custodian.name, custodian.public, custodian.sealed)
                connection.execute("INSERT INTO custodian VALUES (?, ?, ?)", values)
            present = {row.name for row in self.rows()}
            for row in changes.new_keys:
                if row.name in present:
                    raise KeyPresent(f"{self.path} has had a key {row.info.label} of version {row.info.version} before")
                self._put(row, tag)
            for name, state in changes.states.items():
                self._put(self._row(name, tag)._replace(state=state), tag)

    def use(self, label: str, version: int, change: Callable[[KeyRow], int], tag: Tag) -> KeyRow:
        """The row before; its counter is what `change` made of it, and nobody came between.

        Raises:
            KeyAbsent: there is no such key.
            RegisterBroken: its row was changed by hand.
        """
        with self._transaction():
            row = self._row((label, version), tag)
            used = change(row)
            if used != row.used:
                self._put(row._replace(used=used), tag)
        return row

    def _one(self, column: str) -> str | bytes:
        with told_plainly(self.path):
            row = self._connection.execute(f"SELECT {column} FROM store").fetchone()  # noqa: S608 - our own names
        return row[0]  # type: ignore[no-any-return]

    def _row(self, name: tuple[str, int], tag: Tag) -> KeyRow:
        query = f"SELECT {_KEY_COLUMNS} FROM key WHERE label = ? AND version = ?"  # noqa: S608 - our own names
        found = self._connection.execute(query, name).fetchone()
        if found is None:
            raise KeyAbsent(f"{self.path} has no key {name[0]} of version {name[1]}")
        row, its_tag = _parsed(found)
        self._require_tag(row, its_tag, tag)
        return row

    def _tagged_rows(self) -> list[tuple[KeyRow, bytes]]:
        query = f"SELECT {_KEY_COLUMNS} FROM key ORDER BY label, version"  # noqa: S608 - our own names
        with told_plainly(self.path):
            return [_parsed(found) for found in self._connection.execute(query)]

    def _put(self, row: KeyRow, tag: Tag) -> None:
        values = (*row.columns(), tag(self._tagged(row)))
        marks = ", ".join("?" * len(values))
        query = f"INSERT OR REPLACE INTO key ({_KEY_COLUMNS}) VALUES ({marks})"  # noqa: S608 - our own names
        self._connection.execute(query, values)

    def _require_tag(self, row: KeyRow, found: bytes, tag: Tag) -> None:
        if not secrets.compare_digest(found, tag(self._tagged(row))):
            ref = KeyRef(*row.name)
            raise RegisterBroken(
                f"{self.path}: the row of {ref} was not written by Kaguan: restore the store and ask why"
            )

    def _ending(self, last: Entry) -> bytes:
        return repr(("record", last.store, last.number, last.digest)).encode()

    def _tagged(self, row: KeyRow) -> bytes:
        return repr((self.store_id, *row.columns())).encode()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within the context was so at one moment."""
        with told_plainly(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with told_plainly(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def lock_path(store: Path) -> Path:
    """What is locked while people stand at the store; it lies beside it and is empty."""
    return store.with_name(f".{store.name}.lock")


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA secure_delete = ON")  # what a destroyed key was sealed in does not stay behind
    return connection


def _parsed(found: Iterable[object]) -> tuple[KeyRow, bytes]:
    label, version, algorithm, usage, value, levels, state, used, most, its_tag = found
    try:
        info = KeyInfo(
            str(label),
            int(str(version)),
            Algorithm(str(algorithm)),
            Usage(str(usage)),
            CheckValue.parse(str(value)),
            int(str(levels)),
        )
        row = KeyRow(info, KeyState(str(state)), int(str(used)), None if most is None else int(str(most)))
    except ValueError:
        raise RegisterBroken(f"the register's row of {label!r} is none that this version of Kaguan wrote") from None
    return row, bytes(its_tag) if isinstance(its_tag, bytes) else b""
