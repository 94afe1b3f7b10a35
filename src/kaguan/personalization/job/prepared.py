"""Statements that are said again for every card: rendered once, and then run with nothing but values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ClauseElement, Connection, CursorResult
from sqlalchemy.dialects import sqlite

from kaguan.personalization.job.database import Bureau


class Prepared:
    """A statement rendered for a database. What is open in it are its bound parameters without a value."""

    def __init__(self, bureau: Bureau, statement: ClauseElement) -> None:
        dialect = sqlite.dialect(paramstyle="named") if bureau.embedded else bureau.dialect
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._constants = dict(compiled.params)

    def run(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """What the database answers for these values."""
        return connection.exec_driver_sql(self._text, {**self._constants, **values})
