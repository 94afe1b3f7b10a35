"""Names for column types: Django's fields are generic to the type checker only, so these too."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models

if TYPE_CHECKING:
    Text = models.CharField[str, str]
    OptionalText = models.CharField[str | None, str | None]
    Json = models.JSONField[Any, Any]
    Whole = models.BigIntegerField[int, int]
    Flag = models.BooleanField[bool, bool]
    Day = models.DateField[date, date]
    OptionalDay = models.DateField[date | None, date | None]
    Moment = models.DateTimeField[datetime, datetime]
    OptionalMoment = models.DateTimeField[datetime | None, datetime | None]
    Uuid = models.UUIDField[UUID, UUID]
    OptionalUuid = models.UUIDField[UUID | None, UUID | None]
    Bytes = models.BinaryField[bytes, bytes]
