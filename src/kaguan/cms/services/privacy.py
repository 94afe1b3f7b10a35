"""A person's own data: all of it for whoever may have it, and which tables hold it.

A purge needs two people: `approvals` asks for it, `people/purge` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from django.db.models import Model, Q

from kaguan.cms.ledger.accounts import (
    balance,
    held_account,
    personal_account,
    purse_account,
    unloaded_account,
)
from kaguan.cms.models import (
    Activation,
    BlacklistChange,
    Card,
    CardEvent,
    CardFee,
    CardRequest,
    Certificate,
    ChipCase,
    Contribution,
    Departure,
    DocumentCopy,
    Entry,
    Guardian,
    Holder,
    HolderChange,
    HolderCredential,
    HolderDetails,
    HolderPhoto,
    InstantMark,
    Merge,
    MisuseReport,
    Notice,
    OldCardSeen,
    Reminder,
    Session,
    StockItem,
    TemporaryCard,
)
from kaguan.cms.rules.refusals import NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


class About(NamedTuple):
    """How a table's rows lead to the person, which columns say who that is, and which nobody is shown."""

    holder: str
    personal: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


_AGENT: Final = ("agent_name", "agent_cert_type", "agent_cert_no", "agent_relation")

ABOUT_PEOPLE: Final[Mapping[type[Model], About]] = MappingProxyType(
    {
        Holder: About("pk"),
        HolderDetails: About("holder"),
        HolderChange: About("holder"),
        HolderPhoto: About("holder"),
        Guardian: About("ward"),
        Merge: About("survivor"),
        HolderCredential: About("holder", secret=("password",)),
        Session: About("holder", secret=("digest",)),
        Card: About("holder", ("bank_card_no",)),
        StockItem: About("card__holder", ("barcode", "bank_voucher_no")),
        CardEvent: About("card__holder"),
        CardRequest: About("holder", _AGENT),
        InstantMark: About("card_request__holder"),
        CardFee: About("holder", ("receipt_no",)),
        TemporaryCard: About("holder"),
        Departure: About("holder", ("evidence",)),
        Reminder: About("card__holder"),
        MisuseReport: About("card__holder", ("what",)),
        Notice: About("card__holder"),
        Certificate: About("card__holder", ("content",)),
        Activation: About("card__holder"),
        DocumentCopy: About("activation__card__holder"),
        OldCardSeen: About("holder"),
        Contribution: About("holder"),
        ChipCase: About("card__holder"),
        BlacklistChange: About("card__holder"),
    }
)
"""Every table whose rows are about one person. A new one is named here, with its columns that a purge empties.

The rows of some tables say nothing else than who it was: those a purge removes (`people/purge`).
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """Whose data was handed out."""

    holder_id: int


@use_case("export person", Right.UNMASK, Exported)
def export_person(case: Case, /, *, holder_id: int, reason: str) -> Exported:
    """Leave on record that everything about the person was handed out, and why; `person_data` gives it.

    Refuses, in this order: not at the authority, no reason, no such person in the region, own data.
    """
    holder = _person(case, holder_id, reason)
    return Exported(holder.pk)


def person_data(holder_id: int) -> dict[str, object]:
    """Return everything about the person, unmasked, a list of rows a table; ask `export_person` first."""
    tables = {model._meta.db_table: _rows(model, about, holder_id) for model, about in ABOUT_PEOPLE.items()}
    codes = accounts_of(holder_id)
    moved = Entry.objects.filter(Q(source__in=codes) | Q(destination__in=codes)).order_by("pk")
    entries = list(moved.values("id", "transfer_id", "transfer__at", "transfer__kind", "transfer__phase", "source_id",
                                "destination_id", "amount_fen"))  # fmt: skip
    return {**tables, "accounts": {code: balance(code) for code in codes}, "entries": entries}


def empty_columns(holder_id: int) -> None:
    """Leave the columns empty that say who the person was, in the rows that stay."""
    for model, about in ABOUT_PEOPLE.items():
        if about.personal:
            rows = model._default_manager.filter(**{about.holder: holder_id})
            rows.update(**dict.fromkeys(about.personal, ""))


def _rows(model: type[Model], about: About, holder_id: int) -> list[dict[str, object]]:
    shown = [field.attname for field in model._meta.concrete_fields if field.name not in about.secret]
    return list(model._default_manager.filter(**{about.holder: holder_id}).order_by("pk").values(*shown))


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


def accounts_of(holder_id: int) -> list[str]:
    """Return the codes of every account that is the person's, those of their cards included."""
    cards = Card.objects.filter(holder=holder_id).order_by("card_no").values_list("card_no", flat=True)
    of_cards = [code for card_no in cards for code in (purse_account(card_no), held_account(card_no))]
    return [personal_account(holder_id), unloaded_account(holder_id), *of_cards]
