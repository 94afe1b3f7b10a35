"""What card management asks all day, and how PostgreSQL goes about it among enough rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cms.town import REGION
from kaguan.cms.ledger.posting import newest_of
from kaguan.cms.models import Card, Operator
from kaguan.cms.queries import account_record, card_events, card_record, holder_record
from kaguan.cms.sample import card_no_of, cert_no_of, person
from kaguan.cms.services.case import Case
from kaguan.cms.services.loss import card_being_blocked
from kaguan.cms.services.reservation import check_nothing_open, settled_with

ENOUGH = 4_000
SOME = 777
TRANSFER = UUID(int=5)
SMALL = {"cms_region", "cms_institution", "cms_operator", "cms_terminal", "cms_cardorder", "cms_account", "cms_merge"}
"""Tables of so few rows that reading them whole is quicker than any index."""


class Hot(NamedTuple):
    """A question that is asked all day."""

    what: str
    ask: Callable[[], object]


def somebody() -> Case:
    """A request of whoever set the system up."""
    operator = Operator.objects.select_related("institution__region").order_by("pk")[0]
    return Case(operator, operator.institution, TRANSFER, timezone.now(), {})


HOT = [
    Hot("a person by identity number", lambda: holder_record(cert_no_of(SOME), {REGION})),
    Hot("a person by document", lambda: somebody().known_holder("01", cert_no_of(SOME))),
    Hot("a card by its number", lambda: card_record(Card.objects.get(pk=card_no_of(SOME)))),
    Hot("a card locked with its holder", lambda: somebody().card(card_no_of(SOME))),
    Hot("what guards ask about a card", lambda: somebody().circumstances(Card.objects.get(pk=card_no_of(SOME)))),
    Hot("the life of a card", lambda: card_events(Card.objects.get(pk=card_no_of(SOME)))),
    Hot("a card by the ATR in the reader", lambda: card_being_blocked(person(SOME).atr)),
    Hot("whether anything is open on a card", lambda: check_nothing_open(card_no_of(SOME))),
    Hot(
        "a settled transfer by card and number of the chip",
        lambda: settled_with(frozenset({"load"}), {"card_no": card_no_of(SOME), "online_sequence": 1}),
    ),
    Hot("the newest of a chain of transfers", lambda: newest_of(TRANSFER)),
    Hot("an account with its newest entries", lambda: account_record("PA:1")),
]


def plans(hot: Hot) -> Iterator[str]:
    """The plan of each statement that the question leads to."""
    with CaptureQueriesContext(connection) as asked:
        hot.ask()
    for query in asked:
        if query["sql"].startswith("SELECT"):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (COSTS OFF) {query['sql']}")
                yield "\n".join(line for (line,) in cursor.fetchall())


def read_whole(plan: str) -> set[str]:
    """The large tables that the plan reads from end to end."""
    return set(re.findall(r"Seq Scan on (\w+)", plan)) - SMALL


def indexes(plan: str) -> list[str]:
    """The indexes that the plan goes by."""
    return re.findall(r"(?:using|Bitmap Index Scan on) (\w+)", plan)


def page_rows() -> Iterator[str]:
    """A line of the page's table for each question."""
    for hot in HOT:
        names = dict.fromkeys(
            re.sub(r"_[0-9a-f]{8}(_|$)", r"\1", name) for plan in plans(hot) for name in indexes(plan)
        )
        yield f"| {hot.what} | {', '.join(f'`{name}`' for name in names)} |"
