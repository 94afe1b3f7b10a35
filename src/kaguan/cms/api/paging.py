"""Pages: a cursor says after which row the next page begins, so that none is left out while others are added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar
from uuid import UUID

from ninja import Query
from pydantic import Field

from kaguan.cms.api.bodies import is_kept
from kaguan.cms.api.errors import Unwelcome

Item = TypeVar("Item")

MOST: Final = 200

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[
    str,
    Query(max_length=120, pattern=r"^[0-9A-Za-z_-]*$", description="The `next` of the page before; empty at first."),
]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of rows, and the cursor of the next one; empty when this is the last."""

    items: Annotated[list[Item], Field(max_length=MOST)]
    next: str


def page_of(rows: Sequence[Item], limit: int, key: Callable[[Item], object]) -> Page[Item]:
    """Return the page of the first `limit` rows; one row more was asked for, to see whether it is the last page."""
    shown = list(rows[:limit])
    return Page(shown, _cursor(str(key(shown[-1]))) if len(rows) > limit else "")


def text_after(cursor: str) -> str:
    """Return the key that the cursor holds; refuse with Unwelcome when it is none of ours."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _not_ours() from None
    if not is_kept(text):
        raise _not_ours()
    return text


def number_after(cursor: str) -> int:
    """Return the number that the cursor holds, 0 for the first page; refuse as `text_after`."""
    text = text_after(cursor) or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _not_ours()
    return int(text)


def id_after(cursor: str) -> UUID | None:
    """Return the id that the cursor holds, None for the first page; refuse as `text_after`."""
    text = text_after(cursor)
    try:
        return UUID(text) if text else None
    except ValueError:
        raise _not_ours() from None


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _not_ours() -> Unwelcome:
    return Unwelcome("no_such_page", "the cursor is of no page: begin without one")
