"""Credit the month's premium to the personal account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from kaguan.cms.ledger.accounts import AccountKind, balance, personal_account
from kaguan.cms.ledger.posting import Move, post
from kaguan.cms.models import Contribution
from kaguan.cms.rules.money import split_contribution
from kaguan.cms.rules.refusals import DuplicateRequest
from kaguan.cms.rules.rights import Right
from kaguan.cms.services.case import Case
from kaguan.cms.services.use_case import use_case


@dataclass(frozen=True, slots=True)
class Credited:
    """What one month brought to the personal account and to the pool, and the account's balance then, in fen."""

    holder_id: int
    month: str
    own_fen: int
    employer_to_account_fen: int
    employer_to_pool_fen: int
    balance_fen: int


@use_case("credit contribution", Right.CREDIT, Credited)
def credit_contribution(case: Case, /, *, cert_type: str, cert_no: str, month: date, base_fen: int) -> Credited:
    """Leave the premium of the calendar month shared out between personal account and pool; once a person and month.

    Refuses, in this order: no such person, own account, a month before any rules, no base, month credited before.
    """
    holder = case.holder(cert_type, cert_no)
    case.check_not_own(holder.pk)
    first_day = month.replace(day=1)
    split = split_contribution(base_fen, holder.region.rules(first_day))
    if Contribution.objects.filter(holder=holder, month=first_day).exists():
        raise DuplicateRequest(f"{first_day:%Y-%m} was credited to {holder} before")
    account = personal_account(holder.pk)
    moves = [
        Move(AccountKind.PREMIUM_IN.value, account, split.account_fen),
        Move(AccountKind.PREMIUM_IN.value, AccountKind.EMPLOYEE_POOL.value, split.employer_to_pool_fen),
    ]
    transfer = post(case.request_id, "contribution", [move for move in moves if move.amount_fen])
    Contribution.objects.create(holder=holder, month=first_day, transfer=transfer)
    case.note(holder=holder.pk, month=f"{first_day:%Y-%m}", account_fen=split.account_fen)
    return Credited(
        holder_id=holder.pk,
        month=f"{first_day:%Y-%m}",
        own_fen=split.own_fen,
        employer_to_account_fen=split.employer_to_account_fen,
        employer_to_pool_fen=split.employer_to_pool_fen,
        balance_fen=balance(account),
    )
