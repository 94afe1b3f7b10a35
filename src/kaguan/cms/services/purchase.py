"""Purchase: money from the chip's purse to a clinic, hospital or pharmacy, for medical items only.

The request id of `authorise_purchase` is the purchase's own id: record, cancel and grey are asked under the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from kaguan.cms.ledger.accounts import held_account, merchant_account, purse_account
from kaguan.cms.ledger.posting import Detail, Move, find_pending, moves_of, reserve
from kaguan.cms.models import Institution, Terminal, Transfer
from kaguan.cms.rules.money import check_amount
from kaguan.cms.rules.purchases import Item, check_items, check_site
from kaguan.cms.rules.refusals import NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services import reservation
from kaguan.cms.services.case import Case
from kaguan.cms.services.pin import check_pin_serves
from kaguan.cms.services.reservation import Resolution
from kaguan.cms.services.use_case import question, use_case

PURCHASE: Final = "purchase"
_KINDS: Final = frozenset({PURCHASE})


@dataclass(frozen=True, slots=True)
class AuthorisedPurchase:
    """A purchase that the chip may be debited for now, and whether the holder has to type the PIN first.

    `offline_sequence` is what the chip said before, the terminal's number (hex), sequence and time (ISO 8601) what
    it will be told: all that is needed to ask the chip later what it did.
    """

    purchase_id: str
    card_no: str
    institution: str
    amount_fen: int
    pin_required: bool
    offline_sequence: int
    terminal_no: str
    terminal_sequence: int
    terminal_time: str


@question("allow purchase", Right.PURCHASE)
def allow_purchase(case: Case, /, *, card_no: str, items: Sequence[Item], pin_shown: bool = True) -> int:
    """Return the sum of the items in fen when the card may pay for them here. No PIN is asked for before this.

    Refuses, in this order: no medical site, blacklisted, not designated, an item that is not medical, no such card,
    own card, card state, expired, limit, no PIN where the region asks for it (`pin_shown`), PIN blocked or void or
    still the first one where the region wants it changed, something still open.
    """
    amount_fen = _payable_fen(case, card_no, items)
    site = case.institution
    if pin_shown:
        check_pin_serves(case.card(card_no))
    elif site.region.rules().asks_pin_at(site.kind):
        raise NotEligible(f"at a {site.kind} of {site.region.rules().name} the holder's PIN is asked for")
    reservation.check_nothing_open(card_no)
    return amount_fen


@use_case("authorise purchase", Right.PURCHASE, AuthorisedPurchase)
def authorise_purchase(
    case: Case,
    /,
    *,
    card_no: str,
    items: Sequence[Item],
    offline_sequence: int,
    terminal_no: str,
    terminal_time: datetime,
) -> AuthorisedPurchase:
    """Leave the sum of the items held for the actor's institution, under the terminal's next number.

    Refuses, in this order: no medical site, blacklisted, not designated, an item that is not medical, no such card,
    own card, card state, expired, limit, terminal of another institution, too little in the purse.
    """
    site = case.institution
    amount_fen = _payable_fen(case, card_no, items)
    memo: Detail = {
        "card_no": card_no,
        "institution": site.code,
        "offline_sequence": offline_sequence,
        "terminal_no": terminal_no,
        "terminal_sequence": _next_sequence(terminal_no, site),
        "terminal_time": terminal_time.isoformat(),
    }
    move = Move(purse_account(card_no), merchant_account(site.code), amount_fen)
    transfer = reserve(case.request_id, PURCHASE, [move], through=held_account(card_no), memo=memo)
    case.note(amount_fen=amount_fen, terminal_no=terminal_no)
    return _authorised(case.request_id, transfer)


def open_purchase(purchase_id: UUID) -> AuthorisedPurchase:
    """Return the purchase that is neither recorded nor cancelled, as it was authorised.

    Refuses with NotFound, AlreadyResolved, in this order.
    """
    with transaction.atomic():
        transfer = find_pending(purchase_id)
    if transfer.kind != PURCHASE:
        raise NotFound(f"{purchase_id} is a {transfer.kind}, no purchase")
    return _authorised(purchase_id, transfer)


def purchase_before(institution: str, purchase_id: UUID, *, card_no: str, amount_fen: int) -> Resolution | None:
    """Return what became of this purchase when it was asked for before. Refuses as `reservation.asked_before`."""
    return reservation.asked_before(institution, PURCHASE, purchase_id, card_no=card_no, amount_fen=amount_fen)


def purchase_under(card_no: str, offline_sequence: int) -> bool:
    """Return whether the books have a recorded purchase of the card under this number of the chip."""
    return reservation.settled_with(_KINDS, {"card_no": card_no, "offline_sequence": offline_sequence})


@use_case("record purchase", Right.PURCHASE, Resolution)
def record_purchase(case: Case, /, *, tac: str) -> Resolution:
    """Leave the amount payable to the institution: the chip was debited and said so in a TAC (hex), verified before."""
    return reservation.confirm(case, _KINDS, case.request_id, tac)


@use_case("cancel purchase", Right.PURCHASE, Resolution)
def cancel_purchase(case: Case, /, *, why: str) -> Resolution:
    """Leave the amount back in the purse's books: the chip was not debited."""
    return reservation.cancel(case, _KINDS, case.request_id, why)


@use_case("mark purchase grey", Right.PURCHASE, Resolution)
def mark_purchase_grey(case: Case, /) -> Resolution:
    """Leave the purchase grey: the chip's answer was lost; it is recorded or cancelled later."""
    return reservation.mark_grey(case, _KINDS, case.request_id)


def _payable_fen(case: Case, card_no: str, items: Sequence[Item]) -> int:
    site = case.institution
    case.note(card_no=card_no, categories=sorted({item.category.value for item in items}))
    check_site(site.kind, designated=site.designated, blacklisted=site.blacklisted, name=site.code)
    amount_fen = check_items(items)
    case.usable_card(card_no)
    check_amount(amount_fen, limit_fen=site.region.rules().purchase_limit_fen)
    return amount_fen


def _next_sequence(terminal_no: str, site: Institution) -> int:
    """Return the number that the terminal gives to its next purchase; each is given once."""
    terminal, _ = Terminal.objects.select_for_update(no_key=True).get_or_create(
        terminal_no=terminal_no, defaults={"institution": site}
    )
    if terminal.institution != site:
        raise NotEligible(f"terminal {terminal_no} stands at another institution than {site.code}")
    terminal.last_sequence += 1
    terminal.save(update_fields=["last_sequence"])
    return terminal.last_sequence


def _authorised(purchase_id: UUID, transfer: Transfer) -> AuthorisedPurchase:
    memo = transfer.content["memo"]
    site = Institution.objects.get(pk=memo["institution"])
    return AuthorisedPurchase(
        purchase_id=str(purchase_id),
        card_no=memo["card_no"],
        institution=site.code,
        amount_fen=sum(move.amount_fen for move in moves_of(transfer)),
        pin_required=site.region.rules().asks_pin_at(site.kind),
        offline_sequence=memo["offline_sequence"],
        terminal_no=memo["terminal_no"],
        terminal_sequence=memo["terminal_sequence"],
        terminal_time=memo["terminal_time"],
    )
