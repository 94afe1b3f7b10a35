"""Fees on the books, as the orders of cards ask for them: what is due is paid, and what is paid is spent once."""

from __future__ import annotations

from kaguan.cms.models import Card, CardFee, Holder
from kaguan.cms.rules.fees import FREE, FeeKind, FeeState, Replaced, fee_fen
from kaguan.cms.rules.refusals import NotEligible
from kaguan.cms.services.case import Case


def amount_due_fen(case: Case, kind: FeeKind, old: Card | None, *, reason: str = "") -> int:
    """Return what a card of that kind costs today where the actor works; `reason` is that of an exchange."""
    replaced = Replaced(old.issue_date, reason) if old else None
    return fee_fen(case.institution.region.rules(), kind, replaced, case.today)


def paid_fee(
    case: Case, holder: Holder, kind: FeeKind, old: Card | None, *, reason: str = "", where: str
) -> CardFee | None:
    """Return the paid fee for the card that is being ordered; None when it costs nothing.

    `where` begins a refusal's text. Refuses with NotEligible when nothing is paid, or less than is due.
    """
    due_fen = amount_due_fen(case, kind, old, reason=reason)
    if due_fen == FREE:
        return None
    paid = CardFee.objects.select_for_update(no_key=True).filter(
        holder=holder, kind=kind, replaces=old, state=FeeState.PAID, amount_fen__gte=due_fen
    )
    fee = paid.first()
    if fee is None:
        yuan, fen = divmod(due_fen, 100)
        raise NotEligible(
            f"{where}the fee of {yuan}.{fen:02} yuan for a {kind.value} is not paid: register it and have it paid first"
        )
    return fee


def spend(fee: CardFee | None, card: Card) -> None:
    """Leave the fee spent on the card; where there is none, nothing."""
    if fee is not None:
        CardFee.objects.filter(pk=fee.pk).update(state=FeeState.SPENT, card=card)
