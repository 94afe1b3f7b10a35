"""Every use case with one request for it: who asks, what has to be there, and what is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from cms import certificate_cases, chip_cases, life_cases, people_cases, request_cases
from cms.town import Town
from kaguan.cms.models import AuditEntry, Receipt
from kaguan.cms.safekeeping.dump import row_lines
from kaguan.cms.services.case import Actor

CASES = [
    *request_cases.CASES,
    *life_cases.CASES,
    *chip_cases.CASES,
    *people_cases.CASES,
    *certificate_cases.CASES,
]
NAMES = [case[0].__name__ for case in CASES]


@dataclass(frozen=True)
class Wish:
    """One request, whose ground is prepared: under its id it may be asked as often as one likes."""

    ask: Callable
    actor: object
    request_id: UUID
    asked: dict

    def __call__(self, **more):
        """What is answered."""
        return self.ask(self.actor, self.request_id, **self.asked, **more)


def wish_of(case, town: Town, request_id: UUID) -> Wish:
    """The case's request, with all on the books that it needs."""
    ask, who, prepare, asked = case
    prepare(town, request_id)
    actor = who if isinstance(who, Actor) else getattr(town, who)
    # values that only exist now are called for
    return Wish(ask, actor, request_id, {name: value() if callable(value) else value for name, value in asked.items()})


def books(*, but: str = "") -> str:
    """A digest over every row of every table, but for the one of that name."""
    digest = hashlib.sha256()
    for table, line in row_lines():
        if table != but:
            digest.update(table.encode() + line)
    return digest.hexdigest()


def effects(request_id: UUID) -> tuple[int, int]:
    """How many receipts the request has, and how many lines of the audit log say that it was done."""
    receipts = Receipt.objects.filter(request_id=request_id).count()
    return receipts, AuditEntry.objects.filter(request_id=request_id, outcome="done").count()
