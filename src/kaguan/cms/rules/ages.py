"""How old a person is, by the number on the document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

RESIDENT_IDENTITY_CARD: Final = "01"
_BIRTH: Final = slice(6, 14)


def born_on(cert_type: str, cert_no: str) -> date | None:
    """Return the day of birth that a resident identity number tells; None for other documents and garbled numbers."""
    if cert_type != RESIDENT_IDENTITY_CARD or len(cert_no) != 18:
        return None
    try:
        return datetime.strptime(cert_no[_BIRTH], "%Y%m%d").date()  # noqa: DTZ007 (a calendar day has no zone)
    except ValueError:
        return None


def years_old(born: date, on: date) -> int:
    """Return the completed years; whoever was born on 29 February completes one on 1 March in common years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def is_under(cert_type: str, cert_no: str, years: int, on: date) -> bool:
    """Return whether the person is known to be younger than that."""
    born = born_on(cert_type, cert_no)
    return born is not None and years_old(born, on) < years
