"""Money rules: amounts, where the money of a load may come from, and how a contribution is split.

All amounts are whole fen. What does not divide evenly stays with the pool, never with nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.refusals import ForbiddenSource, LimitExceeded, NotEligible

PER_MYRIAD: Final = 10_000


class FundsSource(StrEnum):
    """Where money for the medical card is said to come from."""

    MEDICAL_ACCOUNT = "medical insurance account"
    REPLACED_CARD = "purse of the replaced card"
    CASH = "cash"
    BANK_ACCOUNT = "bank account"
    E_WALLET = "e-wallet"
    STORED_VALUE_CARD = "stored-value card"


def check_source(source: FundsSource) -> None:
    """Return when money may reach the medical card from there; refuse with ForbiddenSource otherwise."""
    if source in {FundsSource.MEDICAL_ACCOUNT, FundsSource.REPLACED_CARD}:
        return
    raise forbidden(source)


def forbidden(source: FundsSource) -> ForbiddenSource:
    """Return the refusal of money from there, with its reason."""
    return ForbiddenSource(
        f"a top-up from {source.value} is refused: "
        "money reaches the medical card only by transfer from the medical insurance account"
    )


def check_whole(amount_fen: object) -> None:
    """Return when the amount is a whole number of fen, neither fraction nor truth value; refuse with LimitExceeded."""
    if type(amount_fen) is not int:
        raise LimitExceeded(f"{amount_fen!r} is no amount: give a whole number of fen")


def check_amount(amount_fen: int, *, limit_fen: int) -> None:
    """Return when the amount is whole, positive and at most the limit; refuse with LimitExceeded otherwise."""
    check_whole(amount_fen)
    if amount_fen <= 0:
        raise LimitExceeded(f"{amount_fen} fen is no amount: it must be above zero")
    if amount_fen > limit_fen:
        raise LimitExceeded(f"{amount_fen} fen is over the limit of {limit_fen} fen")


@dataclass(frozen=True, slots=True)
class ContributionPolicy:
    """How one month's premium is shared out, from `valid_from` on; rates in parts of 10,000 of the base.

    `employer_to_account_rate` is the part of the employer's premium (not of the base) for the account.
    """

    valid_from: date
    own_rate: int
    employer_rate: int
    employer_to_account_rate: int


@dataclass(frozen=True, slots=True)
class ContributionSplit:
    """One month's premium of one employee, in fen."""

    own_fen: int
    employer_to_account_fen: int
    employer_to_pool_fen: int

    @property
    def account_fen(self) -> int:
        """What the personal account is credited with."""
        return self.own_fen + self.employer_to_account_fen


CONTRIBUTION_POLICIES: Final = (
    ContributionPolicy(date(1999, 1, 1), own_rate=200, employer_rate=600, employer_to_account_rate=3_000),
    # The reform of 2021 leaves the whole of the employer's premium to the pool.
    ContributionPolicy(date(2021, 1, 1), own_rate=200, employer_rate=600, employer_to_account_rate=0),
)


def policy_for(month: date) -> ContributionPolicy:
    """Return the policy in force in that month; refuse with NotEligible before the first one."""
    in_force = [policy for policy in CONTRIBUTION_POLICIES if policy.valid_from <= month]
    if not in_force:
        raise NotEligible(f"no contribution policy was in force in {month:%Y-%m}")
    return max(in_force, key=lambda policy: policy.valid_from)


def split_contribution(base_fen: int, month: date) -> ContributionSplit:
    """Return who gets what of the month's premium on a wage base; shares are rounded down to whole fen."""
    check_whole(base_fen)
    if base_fen <= 0:
        raise LimitExceeded(f"a contribution base of {base_fen} fen is no base: it must be above zero")
    policy = policy_for(month)
    employer_fen = base_fen * policy.employer_rate // PER_MYRIAD
    to_account_fen = employer_fen * policy.employer_to_account_rate // PER_MYRIAD
    return ContributionSplit(
        own_fen=base_fen * policy.own_rate // PER_MYRIAD,
        employer_to_account_fen=to_account_fen,
        employer_to_pool_fen=employer_fen - to_account_fen,
    )
