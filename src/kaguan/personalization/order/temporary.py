"""A database for what does not fit into memory, which nobody else can open and which is gone with its process.

SQLite gives it a file for the owner alone and unlinks it while opening it. What is stored of people are digests
under a key that only this process knows: the numbers of a country's people can be counted through, so that a
digest without a key would hide nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
import weakref
from collections.abc import Callable
from hashlib import blake2b

CACHE_KIB = 4096


def temporary_database(owner: object, schema: str) -> sqlite3.Connection:
    """An empty database of this schema, within a transaction that nobody ends; it goes when its owner goes."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    weakref.finalize(owner, connection.close)
    connection.executescript(
        f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = FILE; PRAGMA journal_mode = OFF; "
        f"PRAGMA synchronous = OFF; BEGIN; {schema}"
    )
    return connection


def digester(size: int) -> Callable[[bytes], bytes]:
    """Digests of so many bytes, under a new key."""
    keyed = blake2b(key=secrets.token_bytes(32), digest_size=size)

    def digest(raw: bytes) -> bytes:
        state = keyed.copy()
        state.update(raw)
        return state.digest()

    return digest
