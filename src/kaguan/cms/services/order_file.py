"""What a bureau gets of an order on the books, and the numbers that the cards of checked requests may have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from django.utils import timezone

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError
from kaguan.apdu.identifiers import card_number_check_character
from kaguan.cms.models import Card, CardOrder, CardRequest, Holder, HolderPhoto
from kaguan.cms.rules.personal import Fact, told_by_document
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.minors import facts_of
from kaguan.cms.services.production import RequestRow
from kaguan.cms.services.use_case import question
from kaguan.personalization.order.holder_rules import NAME_EXTENSION_WIDTH, NAME_WIDTH
from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.order.validity import years_after
from kaguan.personalization.order.writing import OrderedCard, OrderedTask

COLUMN_OF_FACT: Final = {
    Fact.SEX: "ssseef060a",
    Fact.NATION: "ssseef060b",
    Fact.BIRTH_PLACE: "ssseef060c",
    Fact.BIRTH_DATE: "ssseef060d",
    Fact.HOUSEHOLD_KIND: "df01ef0520",
    Fact.HOUSEHOLD_ADDRESS: "df01ef0521",
    Fact.ADDRESS: "df01ef0623",
    Fact.POSTCODE: "df01ef0624",
    Fact.PHONE: "df01ef0628",
    Fact.MARITAL_STATUS: "df01ef082b",
    Fact.EMPLOYER: "df01ef092e",
    Fact.NATIONALITY: "df01ef0a37",
}
"""Where on the card a fact goes; the others stay in the books."""
_NEEDED: Final = (Fact.SEX, Fact.NATION, Fact.BIRTH_DATE)
_NUMBER_BODY: Final = re.compile(r"([0-9A-Z]*?)([0-9]{1,7})", re.ASCII)
_TASK: Final = {"card_type": "100", "serid": "01", "sername": "普通卡"}


@dataclass(frozen=True, slots=True)
class OrderContent:
    """An order as its bureau reads it: the name of its list, and its one task."""

    name: OrderName
    task: OrderedTask

    @property
    def card_count(self) -> int:
        """How many cards are ordered."""
        return len(self.task.cards)


@question("write order file", Right.ORDER, noted=True)
def content_of_order(case: Case, /, *, order_no: str, vendor: str, company: str = "") -> OrderContent:
    """Return all that the bureau `vendor` needs to make the order's cards; `company` is whom they are for, if anybody.

    Refuses, in this order: no such order, a number or vendor that no order's name holds, cards of several banks, a
    card of the actor's own; a card whose bank account, facts or photo are missing, with what is missing.
    """
    case.note(order_no=order_no, vendor=vendor)
    cards = list(
        Card.objects.filter(order=order_no, region__in=case.regions).select_related("holder").order_by("card_no")
    )
    if not cards or not CardOrder.objects.filter(pk=order_no).exists():
        raise NotFound(f"no order {order_no} is on the books")
    banks = sorted({card.bank_code for card in cards})
    if len(banks) > 1:
        raise NotEligible(f"order {order_no} has cards of the banks {', '.join(banks)}: order those of each bank apart")
    timestamp = timezone.localtime(case.at).strftime("%Y%m%d%H%M%S")
    name = OrderName("P", order_no, timestamp, vendor, "0", case.institution.region.code, banks[0], "")
    if OrderName.parse(name.file_name) is None:
        raise NotEligible(f"the number {order_no!r} or the vendor {vendor!r} is not letters and digits alone")
    ordered = tuple(_ordered(case, card, number) for number, card in enumerate(cards, start=1))
    case.note(card_count=len(ordered))
    task = {**_TASK, "task_id": order_no.rjust(32, "0"), "bank_id": banks[0], "company": company}
    return OrderContent(name, OrderedTask(task, ordered))


def _ordered(case: Case, card: Card, number: int) -> OrderedCard:
    holder = card.holder
    case.check_not_own(holder.pk)
    facts = {**told_by_document(holder.cert_type, holder.cert_no), **facts_of(holder)}
    photo = HolderPhoto.objects.filter(holder=holder).order_by("-id").first()
    missing = [str(fact) for fact in _NEEDED if not facts.get(fact)]
    missing += [] if card.bank_card_no else ["bank card number"]
    if missing or photo is None:
        wanted = ", ".join([*missing, *([] if photo else ["photo"])])
        raise NotEligible(f"card {card.card_no} of person {holder.pk} cannot be made yet, it lacks: {wanted}")
    first, rest = name_fields(holder)
    columns = {
        "data_seq": f"{number:06d}",
        "customer_id": f"C{holder.pk:011d}",
        "cert_type": holder.cert_type,
        "cert_no": holder.cert_no,
        "bank_card_no": card.bank_card_no,
        "ssseef0505": f"{card.issue_date:%Y%m%d}",
        "ssseef0506": f"{card.valid_until:%Y%m%d}",
        "ssseef0507": card.card_no,
        "ssseef0608": holder.cert_no,
        "ssseef0609": first,
        "ssseef064e": rest,
        "df01ef050e": card.region.code,
    }
    told = {column: facts[fact] for fact, column in COLUMN_OF_FACT.items() if fact in facts}
    told[COLUMN_OF_FACT[Fact.BIRTH_DATE]] = facts[Fact.BIRTH_DATE].replace("-", "")
    return OrderedCard(columns | told, bytes(photo.image))


def name_fields(holder: Holder) -> tuple[str, str]:
    """Return the person's name over the card's two fields for it; refuse with NotEligible when it does not fit."""
    try:
        parts = textcodec.split(holder.name, NAME_WIDTH, NAME_EXTENSION_WIDTH)
    except CodecError as error:
        raise NotEligible(f"the name of person {holder.pk} does not fit on a card: {error}") from None
    return textcodec.decode(parts.first), textcodec.decode(parts.rest)


@question("propose card numbers", Right.ORDER)
def propose_cards(
    case: Case, /, *, first: str, issue_date: date | None = None, valid_until: date | None = None
) -> tuple[RequestRow, ...]:
    """Return a card for every checked request of the actor's region, oldest first, with numbers from `first` on.

    Those that are made while their holders wait are left out.

    `first` is the eight characters before a check character; used numbers are left out. Without dates the card is
    issued today and valid as long as the region allows. Nothing is ordered by it.
    Refuses, in this order: `first` out of form, numbers used up.
    """
    parts = _NUMBER_BODY.fullmatch(first) if len(first) == 8 else None
    if parts is None:
        raise NotEligible(f"{first!r} is no beginning of a card number: 8 capitals and digits that end in a digit")
    region = case.institution.region
    issued = issue_date or case.today
    until = valid_until or years_after(issued, region.rules().card_valid_years)
    checked = CardRequest.objects.filter(region=region, stage=Production.CHECKED, instant_mark=None)
    waiting = list(checked.order_by("applied_at", "pk").values_list("pk", flat=True))
    numbers = list(islice(_free_numbers(parts[1], parts[2]), len(waiting)))
    if len(numbers) < len(waiting):
        raise NotEligible(f"the numbers from {first} on do not last for {len(waiting)} cards: begin elsewhere")
    return tuple(RequestRow(pk, number, issued, until) for pk, number in zip(waiting, numbers, strict=True))


def _free_numbers(series: str, begin: str) -> Iterator[str]:
    for count in range(int(begin), 10 ** len(begin)):
        body = f"{series}{count:0{len(begin)}d}"
        number = body + card_number_check_character(body)
        if not Card.objects.filter(pk=number).exists():
            yield number
