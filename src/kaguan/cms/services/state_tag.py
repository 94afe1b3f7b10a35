"""A short tag of a row's state, so that somebody who saw it can say which state they mean.

Law. A tag is keyed: nobody who sees a person masked can find the rest by trying out what gives the tag.
"""

from __future__ import annotations

from typing import Any

from django.utils.crypto import salted_hmac

from kaguan.cms.canonical import canonical
from kaguan.cms.models import Card, Holder
from kaguan.cms.services.minors import facts_of

_DIGITS = 24


def state_tag(row: Card | Holder) -> str:
    """Return 24 hex digits that differ as soon as one column of the row does, or one fact about the person."""
    columns: dict[str, Any] = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    if isinstance(row, Holder):
        columns["facts"] = facts_of(row)
    content = canonical({"kind": type(row).__name__, **columns})
    return salted_hmac("kaguan state tag", content, algorithm="sha256").hexdigest()[:_DIGITS]
