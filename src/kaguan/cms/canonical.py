"""One byte form for one content, so that contents can be compared and hashed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from kaguan.vault.secret import Secret


def canonical(content: object) -> bytes:
    """Return the content as JSON with sorted keys, no spaces and UTF-8; equal contents give equal bytes."""
    return json.dumps(content, default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(content: object) -> str:
    """Return SHA-256 over the canonical form, in hex."""
    return hashlib.sha256(canonical(content)).hexdigest()


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, Secret):
        return "secret"  # all secrets are alike here: a hash of one would help to guess it
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"{type(value).__name__} has no canonical form")
