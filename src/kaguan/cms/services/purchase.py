"""Purchase: money from the chip's purse to a clinic, hospital or pharmacy, for medical items only.

The request id of `authorise_purchase` is the purchase's own id: record, cancel and grey are asked under the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kaguan.cms.ledger.accounts import held_account, merchant_account, purse_account
from kaguan.cms.ledger.posting import Detail, Move, reserve
from kaguan.cms.rules.lifecycle import Use, check_use
from kaguan.cms.rules.money import check_amount
from kaguan.cms.rules.purchases import Item, check_items, check_site
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.rules.rights import Right
from kaguan.cms.services import reservation
from kaguan.cms.services.case import Case
from kaguan.cms.services.reservation import Resolution
from kaguan.cms.services.use_case import use_case

PURCHASE: Final = "purchase"
_KINDS: Final = frozenset({PURCHASE})


@dataclass(frozen=True, slots=True)
class AuthorisedPurchase:
    """A purchase that the chip may be debited for now, and whether the holder has to type the PIN first."""

    purchase_id: str
    card_no: str
    institution: str
    amount_fen: int
    pin_required: bool


@use_case("authorise purchase", Right.PURCHASE, AuthorisedPurchase)
def authorise_purchase(case: Case, /, *, card_no: str, items: Sequence[Item]) -> AuthorisedPurchase:
    """Leave the sum of the items held in the purse's books for the actor's institution.

    Refuses, in this order: no medical site, blacklisted, not designated, an item that is not medical, no such card,
    own card, card state, expired, limit, too little in the purse.
    """
    site = case.institution
    case.note(card_no=card_no, categories=sorted({item.category.value for item in items}))
    check_site(site.kind, designated=site.designated, blacklisted=site.blacklisted, name=site.code)
    amount_fen = check_items(items)
    card = case.card(card_no)
    check_use(card.application, Use.MOVE_MONEY)
    if card.valid_until < case.today:
        raise NotEligible(f"card {card_no} expired on {card.valid_until}")
    rules = site.region.rules()
    check_amount(amount_fen, limit_fen=rules.purchase_limit_fen)
    reserve(
        case.request_id,
        PURCHASE,
        [Move(purse_account(card_no), merchant_account(site.code), amount_fen)],
        through=held_account(card_no),
        memo={"card_no": card_no, "institution": site.code},
    )
    case.note(amount_fen=amount_fen)
    return AuthorisedPurchase(
        purchase_id=str(case.request_id),
        card_no=card_no,
        institution=site.code,
        amount_fen=amount_fen,
        pin_required=rules.asks_pin_at(site.kind),
    )


@use_case("record purchase", Right.PURCHASE, Resolution)
def record_purchase(
    case: Case, /, *, tac: str, terminal_no: str, terminal_sequence: int, offline_sequence: int
) -> Resolution:
    """Leave the amount payable to the institution: the chip was debited and said so in a TAC, verified before."""
    evidence: Detail = {
        "tac": tac,
        "terminal_no": terminal_no,
        "terminal_sequence": terminal_sequence,
        "offline_sequence": offline_sequence,
    }
    return reservation.confirm(case, _KINDS, case.request_id, evidence)


@use_case("cancel purchase", Right.PURCHASE, Resolution)
def cancel_purchase(case: Case, /, *, why: str) -> Resolution:
    """Leave the amount back in the purse's books: the chip was not debited."""
    return reservation.cancel(case, _KINDS, case.request_id, why)


@use_case("mark purchase grey", Right.PURCHASE, Resolution)
def mark_purchase_grey(case: Case, /) -> Resolution:
    """Leave the purchase grey: the chip's answer was lost; it is recorded or cancelled later."""
    return reservation.mark_grey(case, _KINDS, case.request_id)
