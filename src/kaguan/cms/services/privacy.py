"""A person's own data: all of it for whoever may have it, and its end when nothing is open any more.

Law. A purge leaves books, events and audit log as they are: ids remain, what says who it was does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Model, Q

from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import (
    balance,
    held_account,
    personal_account,
    purse_account,
    unloaded_account,
)
from kaguan.cms.models import Card, CardEvent, Contribution, Entry, Holder, PurgeRequest, StockItem
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import AlreadyResolved, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case

PURGED: Final = "PURGED-"
"""What a purged person's document number begins with; the person's number in the books follows."""


class About(NamedTuple):
    """How a table's rows lead to the person, and which of its columns say who that is."""

    holder: str
    personal: tuple[str, ...] = ()


ABOUT_PEOPLE: Final[Mapping[type[Model], About]] = MappingProxyType(
    {
        Holder: About("pk", ("cert_no", "name")),
        Card: About("holder", ("bank_card_no",)),
        StockItem: About("card__holder", ("barcode", "bank_voucher_no")),
        CardEvent: About("card__holder"),
        Contribution: About("holder"),
        PurgeRequest: About("holder"),
    }
)
"""Every table whose rows are about one person. A new one is named here, with its personal columns."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Whose data was handed out."""

    holder_id: int


@dataclass(frozen=True, slots=True)
class AskedPurge:
    """A purge that waits for a second person."""

    purge_id: str
    holder_id: int


@dataclass(frozen=True, slots=True)
class Purged:
    """Whose data is gone, and how many rows lost what said so."""

    holder_id: int
    rows: int


@use_case("export person", Right.PRIVACY, Exported)
def export_person(case: Case, /, *, holder_id: int, reason: str) -> Exported:
    """Leave on record that everything about the person was handed out, and why; `person_data` gives it.

    Refuses, in this order: not at the authority, no reason, no such person in the region, own data.
    """
    holder = _person(case, holder_id, reason)
    return Exported(holder.pk)


@use_case("ask purge", Right.PRIVACY, AskedPurge)
def ask_purge(case: Case, /, *, holder_id: int, reason: str) -> AskedPurge:
    """Leave on record that the person's data is to be destroyed, and why; nothing is destroyed yet.

    Refuses, in this order: not at the authority, no reason, no such person in the region, own data, purged before,
    a card that is not cancelled, money that is not zero.
    """
    holder = _person(case, holder_id, reason)
    _check_nothing_left(holder)
    PurgeRequest.objects.create(
        purge_id=case.request_id, holder=holder, reason=reason, asked_by=case.operator.code, at=case.at
    )
    return AskedPurge(str(case.request_id), holder.pk)


@use_case("approve purge", Right.APPROVE, Purged)
def approve_purge(case: Case, /, *, purge_id: UUID) -> Purged:
    """Leave nothing in the books that says who the person was; accounts, events and audit lines stay.

    Refuses, in this order: not at the authority, no such request in the region, own data, asked for by the same
    operator, then as `ask_purge`.
    """
    asked = PurgeRequest.objects.filter(pk=purge_id).first()
    if asked is None:
        raise NotFound(f"no purge {purge_id} was asked for")
    holder = _person(case, asked.holder_id, asked.reason)
    if asked.asked_by == case.operator.code:
        raise NeedsSecondPerson(f"operator {case.operator.code} asked for it: another one has to approve")
    _check_nothing_left(holder)
    rows = 0
    for model, about in ABOUT_PEOPLE.items():
        if about.personal:
            blank: dict[str, Any] = dict.fromkeys(about.personal, "")
            if model is Holder:
                blank["cert_no"] = f"{PURGED}{holder.pk}"
            rows += model._default_manager.filter(**{about.holder: holder.pk}).update(**blank)
    case.note(purge=str(purge_id), asked_by=asked.asked_by, rows=rows)
    return Purged(holder.pk, rows)


def person_data(holder_id: int) -> dict[str, object]:
    """Return everything about the person, unmasked, a list of rows a table; ask `export_person` first."""
    tables = {
        model._meta.db_table: list(model._default_manager.filter(**{about.holder: holder_id}).order_by("pk").values())
        for model, about in ABOUT_PEOPLE.items()
    }
    codes = _accounts(holder_id)
    moved = Entry.objects.filter(Q(source__in=codes) | Q(destination__in=codes)).order_by("pk")
    entries = list(moved.values("id", "transfer_id", "transfer__at", "transfer__kind", "transfer__phase", "source_id",
                                "destination_id", "amount_fen"))  # fmt: skip
    return {**tables, "accounts": {code: balance(code) for code in codes}, "entries": entries}


def _person(case: Case, holder_id: int, reason: str) -> Holder:
    if case.institution.kind != InstitutionKind.AUTHORITY:
        raise NotAllowed(f"{case.institution.code} is no authority: only the authority cares for personal data")
    if not reason.strip():
        raise NotEligible("say why: the law or the person's own request that it is done by")
    case.note(holder=holder_id, reason=reason)
    in_region = Holder.objects.select_for_update(no_key=True).filter(region=case.institution.region)
    holder = in_region.filter(pk=holder_id).first()
    if holder is None:
        raise NotFound(f"no person {holder_id} is on the books of region {case.institution.region.code}")
    case.check_not_own(holder.pk)
    return holder


def _check_nothing_left(holder: Holder) -> None:
    if holder.cert_no.startswith(PURGED):
        raise AlreadyResolved(f"the data of person {holder.pk} was purged before")
    still_open = Card.objects.filter(holder=holder).exclude(application=Application.CANCELLED).first()
    if still_open is not None:
        raise NotEligible(f"card {still_open.card_no} is not cancelled: end it first")
    for code in _accounts(holder.pk):
        if amount_fen := balance(code):
            raise NotEligible(f"account {code} holds {amount_fen} fen: settle it first")


def _accounts(holder_id: int) -> list[str]:
    cards = Card.objects.filter(holder=holder_id).order_by("card_no").values_list("card_no", flat=True)
    of_cards = [code for card_no in cards for code in (purse_account(card_no), held_account(card_no))]
    return [personal_account(holder_id), unloaded_account(holder_id), *of_cards]
