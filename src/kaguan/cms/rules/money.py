"""Money rules: amounts, where the money of a load may come from, and how a contribution is split.

All amounts are whole fen. What does not divide evenly stays with the pool, never with nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from kaguan.cms.rules.refusals import ForbiddenSource, LimitExceeded

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


class ContributionPolicy(Protocol):
    """How one month's premium is shared out; rates in parts of 10,000. A region's rules of the month are one.

    `own_rate` and `employer_rate` are parts of the base, `employer_to_account_rate` of the employer's premium.
    """

    @property
    def own_rate(self) -> int:
        """What the person pays."""

    @property
    def employer_rate(self) -> int:
        """What the employer pays."""

    @property
    def employer_to_account_rate(self) -> int:
        """What of the employer's premium the account gets."""


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


def split_contribution(base_fen: int, policy: ContributionPolicy) -> ContributionSplit:
    """Return who gets what of the month's premium on a wage base; shares are rounded down to whole fen."""
    check_whole(base_fen)
    if base_fen <= 0:
        raise LimitExceeded(f"a contribution base of {base_fen} fen is no base: it must be above zero")
    employer_fen = base_fen * policy.employer_rate // PER_MYRIAD
    to_account_fen = employer_fen * policy.employer_to_account_rate // PER_MYRIAD
    return ContributionSplit(
        own_fen=base_fen * policy.own_rate // PER_MYRIAD,
        employer_to_account_fen=to_account_fen,
        employer_to_pool_fen=employer_fen - to_account_fen,
    )
