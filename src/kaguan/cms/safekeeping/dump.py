"""Every row of the books as lines of JSON, the same for every kind of database.

A header, then a line a row (the number of its table, then its values), then a trailer that proves what came before.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, BinaryIO, Final

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, Model

from kaguan.apdu.errors import InputError
from kaguan.cms.bulk import copy_rows
from kaguan.cms.canonical import canonical
from kaguan.cms.models.texts import BoundedText

WHAT: Final = "kaguan cms backup 1"
LONGEST_LINE: Final = 64 * 2**20
_ROWS_A_READ: Final = 5_000


@dataclass(slots=True)
class RowsProof:
    """How many rows each table has, and a sum over their digests that does not depend on their order."""

    rows: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def add(self, table: str, line: bytes) -> None:
        """Count this row."""
        self.rows[table] = self.rows.get(table, 0) + 1
        digest = hashlib.sha256(line).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) % 2**256

    def told(self) -> dict[str, object]:
        """What a trailer says."""
        return {"rows": dict(sorted(self.rows.items())), "sum": f"{self.total:064x}"}


def tables() -> list[type[Model]]:
    """Return every table of the books, in one order."""
    return sorted(apps.get_app_config("cms").get_models(include_auto_created=True), key=lambda m: m._meta.db_table)


def header() -> dict[str, object]:
    """Return what the first line says: the tables with their columns, and the migrations that made them."""
    return {
        "what": WHAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "migrations": sorted(MigrationRecorder.Migration.objects.filter(app="cms").values_list("name", flat=True)),
        "tables": {model._meta.db_table: columns_of(model) for model in tables()},
    }


def columns_of(model: type[Model]) -> list[str]:
    """Return the table's columns as the models name them."""
    return [column.attname for column in model._meta.concrete_fields]


def row_lines() -> Iterator[tuple[str, bytes]]:
    """Give every row with the name of its table, as a line without its end."""
    for number, model in enumerate(tables()):
        manager: Any = model._default_manager
        for row in manager.order_by("pk").values_list(*columns_of(model)).iterator(chunk_size=_ROWS_A_READ):
            yield model._meta.db_table, canonical([number, *map(_plain, row)])


def restore_rows(lines: Iterable[list[Any]], proof: RowsProof) -> None:
    """Leave the rows of these lines in their tables, counted; call it inside a transaction.

    Raises:
        InputError: a line is no row of a table of ours, or holds a text that is too long for its column.
    """
    known = tables()
    try:
        for number, rows in groupby(lines, key=lambda line: int(line[0])):
            model = known[number]
            copy_rows(model, columns_of(model), _values(model, rows, proof))
    except (IndexError, TypeError, ValueError, OverflowError, ValidationError, DataError, IntegrityError) as error:
        raise InputError(f"a row of the backup does not fit its table: {type(error).__name__}") from None


def read_line(stream: BinaryIO) -> Any:
    """Return what the next line says; refuse with InputError a line that is cut off, too long, or no JSON."""
    line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise InputError("the backup is cut off: a line of it has no end")
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise InputError("a line of the backup is no JSON, or none of ours") from None


def _values(model: type[Model], rows: Iterable[list[Any]], proof: RowsProof) -> Iterator[list[Any]]:
    fields = model._meta.concrete_fields
    for row in rows:
        proof.add(model._meta.db_table, canonical(row))
        yield [_value(column, told) for column, told in zip(fields, row[1:], strict=True)]


def _value(column: Field[Any, Any], told: Any) -> Any:
    value = column.to_python(told)
    if isinstance(column, BoundedText):  # a server would be told by COPY, and give the row's words in its answer
        column.check_fits(value)
    return value


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return b64encode(value).decode()
    return value
