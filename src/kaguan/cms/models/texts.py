"""Columns of text that hold no more than they say, whatever kind of database they are in.

Law. A text that is too long is refused before any database sees it: SQLite would keep all of it, PostgreSQL none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from kaguan.apdu.errors import InputError


class BoundedText(models.CharField):  # type: ignore[type-arg]  # generic to the type checker only, see `columns`
    """A text of at most `max_length` characters; in migrations, which only lay columns out, a plain one."""

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Return how to make the column again, as migrations tell it."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Return the value as the database takes it; refuse as `check_fits`."""
        if type(value) is str:  # nearly every value, and no database wants it otherwise
            self.check_fits(value)
            return value
        prepared = super().get_db_prep_save(value, connection)
        self.check_fits(prepared)
        return prepared

    def check_fits(self, value: object) -> None:
        """Return when the column has room for the value; refuse a longer text with InputError."""
        if isinstance(value, str) and self.max_length is not None and len(value) > self.max_length:
            whose = self.model._meta.verbose_name
            raise InputError(
                f"{self.verbose_name} of {whose}: {len(value)} characters are too many, shorten it to {self.max_length}"
            )
