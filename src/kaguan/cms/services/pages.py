"""Pages of rows that have an id and a moment.

Law. A page begins after the last row of the one before, whatever was added or ended since.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


class Dated(Protocol):
    """A row with the moment that it is of."""

    @property
    def pk(self) -> UUID: ...

    at: datetime


def rows_after(rows: QuerySet[Row], last: Dated | None) -> QuerySet[Row]:
    """Return the rows that come after that one, oldest first; all of them after none."""
    ordered = rows.order_by("at", "pk")
    return ordered.filter(Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk)) if last else ordered
