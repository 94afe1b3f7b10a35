"""Put made-up people and their cards on the books, as many as are wanted, by the shortest way that the database has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django.db.models import Max

from kaguan.cms.bulk import copy_rows
from kaguan.cms.models import Card, CardEvent, CardOrder, Holder, StockItem
from kaguan.cms.rules.lifecycle import Production
from kaguan.cms.rules.refusals import LimitExceeded, NotAllowed
from kaguan.cms.rules.rights import Right
from kaguan.cms.sample import MOST, REGION, Person, people
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case

_AT_ONCE: Final = 20_000

_CARD_COLUMNS: Final = (
    "card_no",
    "card_ident_code",
    "atr",
    "holder_id",
    "region_id",
    "order_id",
    "bank_code",
    "bank_card_no",
    "production",
    "application",
    "bank_function",
    "pin",
    "issue_date",
    "valid_until",
)
_EVENT_COLUMNS: Final = (
    "card_id",
    "at",
    "axis",
    "event",
    "from_state",
    "to_state",
    "reason",
    "detail",
    "operator",
    "institution",
    "request_id",
)


@dataclass(frozen=True, slots=True)
class Sampled:
    """How many made-up people came onto the books, and how many are there now."""

    added: int
    people: int


@use_case("sample", Right.SET_UP, Sampled)
def add_sample(case: Case, /, *, holders: int) -> Sampled:
    """Leave so many more made-up people on the books of the actor's region, each with a card in some state.

    They are kept by the institution of the actor, and told of by one event a card.
    Refuses, in this order: a region that exists, fewer than one, more than the sample has.
    """
    region = case.institution.region
    if not region.code.startswith(REGION):
        raise NotAllowed(f"made-up people live in regions {REGION}xx only, and {region.code} is another")
    first = CardOrder.objects.filter(kind="new", order_no__startswith="SAMPLE-").aggregate(most=Max("order_no"))["most"]
    done = int(first.removeprefix("SAMPLE-")) if first else 0
    if not 0 < holders <= MOST - done:
        raise LimitExceeded(f"from 1 to {MOST - done} made-up people can be added, not {holders}")
    order = CardOrder.objects.create(
        order_no=f"SAMPLE-{done + holders:08d}",
        kind="new",
        ordered_by=case.operator.code,
        ordered_at=case.at,
        card_count=holders,
    )
    rows = people(done, holders)
    bank_code = (region.rules().banks or ("",))[0]
    while part := list(islice(rows, _AT_ONCE)):
        _write(case, order, part, bank_code)
    case.note(holders=holders)
    return Sampled(holders, done + holders)


def _write(case: Case, order: CardOrder, part: Sequence[Person], bank_code: str) -> None:
    region = case.institution.region.pk
    first_id = (Holder.objects.aggregate(most=Max("pk"))["most"] or 0) + 1
    ids = range(first_id, first_id + len(part))
    holders = ("id", "cert_type", "cert_no", "name", "region_id")
    copy_rows(Holder, holders, ((key, "01", who.cert_no, who.name, region) for key, who in zip(ids, part, strict=True)))
    copy_rows(
        Card,
        _CARD_COLUMNS,
        (
            (
                who.card_no,
                who.card_ident_code or None,
                who.atr,
                key,
                region,
                order.pk,
                bank_code,
                who.bank_card_no,
                *who.state[:4],
                who.issue_date,
                who.valid_until,
            )
            for key, who in zip(ids, part, strict=True)
        ),
    )
    empty = ("barcode", "bank_voucher_no", "cabinet", "position", "keeper", "offered_to")
    stock = ("card_id", "institution_id", "task_id", "data_seq", "received_at", *empty)
    kept = (who for who in part if who.state.production == Production.AT_OUTLET)
    keeper = case.institution.pk
    nothing = ("",) * len(empty)
    rows = ((who.card_no, keeper, "SAMPLE", str(who.number), case.at, *nothing) for who in kept)
    copy_rows(StockItem, stock, rows)
    copy_rows(CardEvent, _EVENT_COLUMNS, _events(case, part))


def _events(case: Case, part: Iterable[Person]) -> Iterator[tuple[Any, ...]]:
    asked = (case.operator.code, case.institution.code, case.request_id)
    for who in part:
        yield (who.card_no, case.at, *who.state[4:], {"sample": True}, *asked)
