"""What a card costs its holder (交费登记): registered, paid with a receipt, or taken back; orders spend it.

The request id of `register_fee` is the fee's own id. A person has one open fee at a time.
Law. The amount is what the region says on the day, never what somebody types.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kaguan.cms.models import Card, CardFee, Holder
from kaguan.cms.rules.fees import FREE, OPEN_FEE, FeeKind, FeeState
from kaguan.cms.rules.refusals import AlreadyResolved, DuplicateRequest, NotEligible, NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.fee_books import amount_due_fen
from kaguan.cms.services.requests import current_card
from kaguan.cms.services.use_case import question, use_case


@dataclass(frozen=True, slots=True)
class FeeRecord:
    """A fee in fen, what it is for, and what became of it."""

    fee_id: str
    holder_id: int
    kind: str
    amount_fen: int
    state: str
    receipt_no: str


@use_case("register fee", Right.APPLY, FeeRecord)
def register_fee(case: Case, /, *, cert_type: str, cert_no: str, kind: FeeKind, reason: str = "") -> FeeRecord:
    """Leave on record what the person has to pay for the card; `reason` is the code of an exchange.

    Refuses, in this order: no such person, own person, a fee open already, no card whose place it takes, nothing due.
    """
    holder = _person(case, cert_type, cert_no)
    still_open = CardFee.objects.filter(holder=holder, state__in=OPEN_FEE).first()
    if still_open is not None:
        raise DuplicateRequest(f"fee {still_open.pk} of {holder} is {still_open.state} already")
    old = _replaced(holder, kind)
    amount_fen = amount_due_fen(case, kind, old, reason=reason)
    if amount_fen == FREE:
        raise NotEligible(f"a {kind.value} costs nothing here")
    fee = CardFee.objects.create(
        fee_id=case.new_id(CardFee),
        holder=holder,
        region=case.institution.region,
        kind=kind,
        replaces=old,
        amount_fen=amount_fen,
        registered_by=case.operator.code,
        at=case.at,
    )
    return _told(case, fee)


@use_case("pay fee", Right.APPLY, FeeRecord)
def pay_fee(case: Case, /, *, fee_id: UUID, receipt_no: str) -> FeeRecord:
    """Leave the fee paid, with the number of its receipt: the card may be ordered.

    Refuses, in this order: no such fee here, own fee, no receipt, not due any more.
    """
    fee = _locked(case, fee_id)
    if not receipt_no.strip():
        raise NotEligible("a payment has a receipt with a number")
    _require_state(fee, FeeState.DUE)
    fee.state, fee.receipt_no, fee.paid_by, fee.paid_at = FeeState.PAID, receipt_no, case.operator.code, case.at
    fee.save(update_fields=["state", "receipt_no", "paid_by", "paid_at"])
    return _told(case, fee)


@use_case("withdraw fee", Right.APPLY, FeeRecord)
def withdraw_fee(case: Case, /, *, fee_id: UUID) -> FeeRecord:
    """Leave the fee taken back; what was paid for it is paid back where it was paid.

    Refuses, in this order: no such fee here, own fee, spent or taken back already.
    """
    fee = _locked(case, fee_id)
    _require_state(fee, *OPEN_FEE)
    fee.state = FeeState.WITHDRAWN
    fee.save(update_fields=["state"])
    return _told(case, fee)


@question("look at fees", Right.APPLY)
def look_at_fees(case: Case, /, *, cert_type: str, cert_no: str) -> list[FeeRecord]:
    """Return the person's fees, newest first. Refuses, in this order: no such person, own person."""
    holder = _person(case, cert_type, cert_no)
    fees = CardFee.objects.filter(holder=holder, region__in=case.regions).order_by("-at")
    return [_record(fee) for fee in fees]


def _person(case: Case, cert_type: str, cert_no: str) -> Holder:
    """Return the person, locked, so that two registrations at once see each other."""
    return case.person(case.holder(cert_type, cert_no).pk)


def _replaced(holder: Holder, kind: FeeKind) -> Card | None:
    if kind is FeeKind.FIRST:
        return None
    old = current_card(holder)
    if old is None:
        raise NotEligible(f"{holder} has no card whose place another one could take")
    return old


def _locked(case: Case, fee_id: UUID) -> CardFee:
    fee = CardFee.objects.select_for_update(no_key=True).filter(pk=fee_id, region__in=case.regions).first()
    if fee is None:
        raise NotFound(f"no fee {fee_id} is on the books")
    case.check_not_own(fee.holder_id)
    return fee


def _require_state(fee: CardFee, *states: FeeState) -> None:
    if fee.state not in states:
        raise AlreadyResolved(f"fee {fee.pk} is {fee.state} already")


def _told(case: Case, fee: CardFee) -> FeeRecord:
    case.note(fee=str(fee.pk), holder=fee.holder_id, amount_fen=fee.amount_fen, state=str(fee.state))
    return _record(fee)


def _record(fee: CardFee) -> FeeRecord:
    return FeeRecord(str(fee.pk), fee.holder_id, fee.kind, fee.amount_fen, str(fee.state), fee.receipt_no)
