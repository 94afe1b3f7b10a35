"""Every use case with one request for it, out of the tables that show that none is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from cms import test_people_requests, test_requests
from cms.test_people_requests import prepared
from cms.town import Town
from kaguan.cms.models import AuditEntry, Receipt
from kaguan.cms.safekeeping.dump import row_lines

CASES = [*test_requests.CASES, *test_people_requests.CASES]
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
    return Wish(ask, *_told(town, who, prepare, asked, request_id))


def _told(town, who, prepare, asked, request_id):
    actor, more = prepared(town, who, prepare, asked, request_id)
    return actor, request_id, more


def books() -> str:
    """A digest over every row of every table."""
    digest = hashlib.sha256()
    for table, line in row_lines():
        digest.update(table.encode() + line)
    return digest.hexdigest()


def effects(request_id: UUID) -> tuple[int, int]:
    """How many receipts the request has, and how many lines of the audit log say that it was done."""
    receipts = Receipt.objects.filter(request_id=request_id).count()
    return receipts, AuditEntry.objects.filter(request_id=request_id, outcome="done").count()
