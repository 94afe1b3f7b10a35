"""What the books say, as plain records to show; people stand masked in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db.models import Q

from kaguan.cms.compiled import Compiled
from kaguan.cms.ledger.accounts import AccountKind, balance, kind_of, personal_account, purse_account
from kaguan.cms.ledger.posting import Phase, first_of, moves_of
from kaguan.cms.models import (
    Account,
    Card,
    CardEvent,
    Credential,
    Entry,
    Holder,
    Institution,
    Operator,
    Transfer,
)
from kaguan.cms.rules.documents import mask_name, mask_number
from kaguan.cms.rules.lifecycle import Application, BankFunction, Pin, Production
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Level

Record = dict[str, object]

_PERSON: Final[Compiled[Holder]] = Compiled(
    lambda cert_no: Holder.objects.select_related("region").filter(cert_no=cert_no).order_by("pk"), cert_no=str
)
_CARDS: Final[Compiled[tuple[str, str]]] = Compiled(
    lambda holder: Card.objects.filter(holder=holder).order_by("card_no").values_list("card_no", "application"),
    holder=int,
)


def card_record(card: Card) -> Record:
    """Return the card with the names of its four states and its purse's balance."""
    return {
        "card_no": card.card_no,
        "card_ident_code": card.card_ident_code or "",
        "atr": card.atr,
        "holder": card.holder_id,
        "name": mask_name(card.holder.name),
        "bank_code": card.bank_code,
        "bank_card_no": mask_number(card.bank_card_no),
        "production": Production(card.production).name,
        "application": Application(card.application).name,
        "bank_function": BankFunction(card.bank_function).name,
        "pin": Pin(card.pin).name,
        "issue_date": card.issue_date.isoformat(),
        "valid_until": card.valid_until.isoformat(),
        "chip_blocked_at": card.chip_blocked_at.isoformat() if card.chip_blocked_at else "",
        "replaced_by": card.replaced_by.card_no if card.replaced_by else "",
        "purse_fen": balance(purse_account(card.card_no)),
    }


def card_events(card: Card) -> list[Record]:
    """Return every step of the card's life, oldest first."""
    return [
        {
            "at": event.at.isoformat(timespec="seconds"),
            "axis": event.axis,
            "event": event.event,
            "from": event.from_state,
            "to": event.to_state,
            "reason": event.reason,
            "operator": event.operator,
            "institution": event.institution,
        }
        for event in CardEvent.objects.filter(card=card).order_by("id")
    ]


def holder_record(number: str, within: Collection[str]) -> Record:
    """Return the person of these regions with that number in the books or on the identity document.

    Refuses with NotFound.
    The medical account is in normal use while one of the person's cards is.
    """
    if number.isascii() and number.isdigit() and len(number) < 14:
        known = list(Holder.objects.select_related("region").filter(pk=number))
    else:
        known = _PERSON.all(cert_no=number)
    holder = next((one for one in known if one.region_id in within), None)
    if holder is None:
        raise NotFound(f"no person {mask_number(number)} is on the books")
    cards = {card_no: Application(state).name for card_no, state in _CARDS.all(holder=holder.pk)}
    return {
        "holder": holder.pk,
        "cert_type": holder.cert_type,
        "cert_no": mask_number(holder.cert_no),
        "name": mask_name(holder.name),
        "region": holder.region.code,
        "cards": cards,
        "medical_account": "normal" if Application.NORMAL.name in cards.values() else "suspended",
        "medical_account_fen": balance(personal_account(holder.pk)),
    }


def institution_records(within: Collection[str]) -> list[Record]:
    """Return every institution of these regions, by code."""
    return [
        {
            "institution": place.code,
            "kind": place.kind,
            "region": place.region.code,
            "parent": place.parent.code if place.parent else "",
            "bank_code": place.bank_code,
            "designated": place.designated,
            "name": place.name,
        }
        for place in Institution.objects.filter(region__in=within).select_related("region", "parent").order_by("code")
    ]


def operator_records(within: Collection[str]) -> list[Record]:
    """Return every operator of these institutions by code, with what they sign in with."""
    known = Operator.objects.filter(institution__in=within)
    factors = dict(Credential.objects.filter(operator__in=known).values_list("operator", "second_factor"))
    return [
        {
            "operator": somebody.code,
            "institution": somebody.institution.code,
            "roles": ", ".join(somebody.roles),
            "level": Level(somebody.level).name.lower(),
            "active": somebody.active,
            "password": somebody.code in factors,
            "second_factor": bool(factors.get(somebody.code)),
        }
        for somebody in known.select_related("institution").order_by("code")
    ]


def open_reservations() -> list[Record]:
    """Return every load and purchase that is neither confirmed nor cancelled, oldest first, under its own id.

    The memo holds what the chip said before, which is what a reader needs to find out what it did.
    """
    pending = Transfer.objects.filter(phase=Phase.PENDING, resolved_by=None).order_by("at")
    return [
        {
            "transfer": str(first_of(transfer).pk),
            "kind": transfer.kind,
            "grey": transfer.content["through"] == AccountKind.GREY,
            "amount_fen": sum(move.amount_fen for move in moves_of(transfer)),
            "since": first_of(transfer).at.isoformat(timespec="seconds"),
            **transfer.content["memo"],
        }
        for transfer in pending
    ]


def account_record(code: str) -> Record:
    """Return the account with its ten newest entries, newest first; refuse with NotFound."""
    account = Account.objects.filter(pk=code).first()
    if account is None:
        raise NotFound(f"no account {code} is on the books")
    touching = Entry.objects.filter(Q(source=account) | Q(destination=account)).select_related("transfer")
    return {
        "account": account.code,
        "kind": kind_of(account.code).name,
        "balance_fen": account.balance_fen,
        "newest_entries": [
            {
                "at": entry.transfer.at.isoformat(timespec="seconds"),
                "transfer": str(entry.transfer.pk),
                "kind": entry.transfer.kind,
                "phase": entry.transfer.phase,
                "amount_fen": entry.amount_fen if entry.destination.code == code else -entry.amount_fen,
            }
            for entry in touching.order_by("-id")[:10]
        ],
    }
