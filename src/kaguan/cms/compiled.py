"""Statements that nearly every request makes, put into SQL once and asked again with other values.

Composing a statement costs Django several times what the database takes to answer it. What is composed here is what
the models say; what comes back are the same rows as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, DateTimeField, Field, Model, QuerySet, UUIDField
from django.db.models.base import ModelState
from django.db.models.query import get_related_populators

from kaguan.cms.sending import send

Row = TypeVar("Row")

_EXAMPLES: Final[dict[type, Callable[[int], Any]]] = {
    str: lambda place: f"\x1f{place}",
    int: lambda place: 2**40 + place,
    UUID: lambda place: UUID(int=2**100 + place),
}


class Compiled(Generic[Row]):
    """A query whose SQL is the same whatever the values: `compose` gives it for values of these kinds, by name."""

    def __init__(self, compose: Callable[..., QuerySet[Any, Row]], **kinds: type) -> None:
        self._compose = compose
        self._kinds = kinds
        self._statements: dict[str, _Statement] = {}

    def all(self, **values: object) -> list[Row]:
        """Return the rows for these values."""
        database = connections[DEFAULT_DB_ALIAS]
        statement = self._statements.get(database.vendor) or self._statement(database)
        answer = send(database, statement.sql, [given(values) for given in statement.given])
        return [statement.read(row, database) for row in answer.fetchall()]

    def first(self, **values: object) -> Row | None:
        """Return the first row for these values, None when there is none."""
        rows = self.all(**values)
        return rows[0] if rows else None

    def _statement(self, database: BaseDatabaseWrapper) -> _Statement:
        examples = {name: _EXAMPLES[kind](place) for place, (name, kind) in enumerate(self._kinds.items())}
        query: Any = self._compose(**examples)
        compiler = query.query.get_compiler(connection=database)
        sql, parameters = compiler.as_sql()
        known: dict[Hashable, _Given] = {}
        for name, example in examples.items():
            known[example] = _Value(name)
            if isinstance(example, UUID):
                known[example.hex] = _Hex(name)
        given = tuple(known.get(parameter) or _Constant(parameter) for parameter in parameters)
        made = _Statement(sql, given, _reader(compiler, plain=query._fields is not None))
        self._statements[database.vendor] = made
        return made


def insert(model: type[Model], /, *, returning: str = "", **values: Any) -> Any:
    """Leave a row with these values, and return what the SQL expression gives then; the row's number is not told.

    Columns go by the names of their attributes (`card_id`), and have their defaults where no value is given.
    """
    database = connections[DEFAULT_DB_ALIAS]
    insertion = _insertion(model, database.vendor)
    sql = f"{insertion.sql} RETURNING {returning}" if returning else insertion.sql
    answer = send(database, sql, insertion.prepared(values, database))
    return answer.fetchone()[0] if returning else None


def move(model: type[Model], key: str, column: str, *, before: str, after: str) -> bool:
    """Leave the column changed in the row with that key, and return whether it was as `before`."""
    table, name = model._meta.db_table, model._meta.pk.column
    sql = f"UPDATE {table} SET {column} = %s WHERE {name} = %s AND {column} = %s"  # noqa: S608 - the models' names
    return bool(send(connections[DEFAULT_DB_ALIAS], sql, [after, key, before]).rowcount)


_Prepare = Callable[[Any, BaseDatabaseWrapper], Any]
_Given = Callable[[dict[str, object]], Any]
_Read = Callable[[tuple[Any, ...], BaseDatabaseWrapper], Any]


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    given: tuple[_Given, ...]
    read: _Read


@dataclass(frozen=True, slots=True)
class _Value:
    name: str

    def __call__(self, values: dict[str, object]) -> Any:
        return values[self.name]


@dataclass(frozen=True, slots=True)
class _Hex:
    name: str

    def __call__(self, values: dict[str, Any]) -> Any:
        return values[self.name].hex


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Any

    def __call__(self, _values: dict[str, object]) -> Any:
        return self.value


def _reader(compiler: Any, *, plain: bool) -> _Read:
    """Return what makes a model's row, with the rows joined to it, of what the database answers; or a plain tuple."""
    converters = list(compiler.get_converters([selected[0] for selected in compiler.select]).items())

    def converted(row: tuple[Any, ...], database: BaseDatabaseWrapper) -> list[Any]:
        values = list(row)
        for place, (convert, expression) in converters:
            for step in convert:
                values[place] = step(values[place], expression, database)
        return values

    if plain:
        return lambda row, database: tuple(converted(row, database))
    shape = compiler.klass_info
    rows, places = _Rows(shape["model"]), shape["select_fields"]
    start, end = places[0], places[-1] + 1
    names = [selected[0].target.attname for selected in compiler.select[start:end]]
    populators: Any = get_related_populators
    joined = [_quickened(other) for other in populators(shape, compiler.select, DEFAULT_DB_ALIAS)]
    annotated = list((compiler.annotation_col_map or {}).items())

    def made(row: tuple[Any, ...], database: BaseDatabaseWrapper) -> Any:
        values = converted(row, database)
        instance: Any = rows.from_db(DEFAULT_DB_ALIAS, names, values[start:end])
        for other in joined:
            other.populate(values, instance)
        for name, place in annotated:
            setattr(instance, name, values[place])
        return instance

    return made


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes rows of a model as the database has them: as when they are unpickled, a fraction of Django's `from_db`."""

    model: type[Model]

    def from_db(self, alias: str, names: list[str], values: list[Any]) -> Model:
        instance = self.model.__new__(self.model)
        instance.__dict__ = dict(zip(names, values, strict=True))
        instance._state = state = ModelState()
        state.db, state.adding = alias, False
        return instance


def _quickened(joined: Any) -> Any:
    """Return what makes the rows joined to a row, told to make them so, and those joined to them."""
    joined.model_cls = _Rows(joined.model_cls)
    joined.related_populators = [_quickened(other) for other in joined.related_populators]
    return joined


@dataclass(frozen=True, slots=True)
class _Insertion:
    sql: str
    columns: Mapping[str, tuple[_Prepare, Field[Any, Any]]]

    def prepared(self, values: dict[str, Any], database: BaseDatabaseWrapper) -> list[Any]:
        unknown = values.keys() - self.columns.keys()
        if unknown:
            raise TypeError(f"no columns: {', '.join(unknown)}")
        return [
            prepare(values[name] if name in values else field.get_default(), database)
            for name, (prepare, field) in self.columns.items()
        ]


@lru_cache(maxsize=256)
def _insertion(model: type[Model], vendor: str) -> _Insertion:
    fields = [field for field in model._meta.concrete_fields if not (field.primary_key and field.db_returning)]
    columns = ", ".join(str(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return _Insertion(
        f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({marks})",  # noqa: S608 - the models' names
        {field.attname: (_prepare(field, vendor), field) for field in fields},
    )


def _prepare(field: Any, vendor: str) -> _Prepare:
    """Return what makes a value one that this kind of database takes: as the field does, by a shorter way."""
    kind: Field[Any, Any] = field.target_field if field.is_relation else field
    return _SHORTER[vendor].get(type(kind), kind.get_db_prep_save)


def _as_it_is(value: Any, _database: BaseDatabaseWrapper) -> Any:
    return value


def _as_utc(value: Any, _database: BaseDatabaseWrapper) -> Any:
    return value if value is None else str(value.astimezone(UTC).replace(tzinfo=None))


_SHORTER: Final[dict[str, dict[type, _Prepare]]] = {
    "sqlite": {BigIntegerField: _as_it_is, DateTimeField: _as_utc},
    "postgresql": {BigIntegerField: _as_it_is, UUIDField: _as_it_is, DateTimeField: _as_it_is},
}
