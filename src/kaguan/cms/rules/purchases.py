"""What the medical wallet may pay for, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.money import check_whole
from kaguan.cms.rules.refusals import NotEligible, NotMedical
from kaguan.cms.rules.regions import InstitutionKind


class ItemCategory(StrEnum):
    """What a line of a bill is."""

    DRUG = "drug"
    TREATMENT = "treatment"
    EXAMINATION = "examination"
    MEDICAL_DEVICE = "medical device"
    REGISTRATION = "registration"
    DAILY_GOODS = "daily goods"
    FOOD = "food"
    COSMETICS = "cosmetics"
    HEALTH_PRODUCT = "health product"
    STORED_VALUE = "stored value"
    CASH_OUT = "cash out"


MEDICAL: Final = frozenset(
    {
        ItemCategory.DRUG,
        ItemCategory.TREATMENT,
        ItemCategory.EXAMINATION,
        ItemCategory.MEDICAL_DEVICE,
        ItemCategory.REGISTRATION,
    }
)

SITES: Final = frozenset({InstitutionKind.CLINIC, InstitutionKind.HOSPITAL, InstitutionKind.PHARMACY})


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill; the amount is in fen."""

    category: ItemCategory
    amount_fen: int


def check_items(items: Sequence[Item]) -> int:
    """Return the sum in fen when every line is medical; refuse with NotMedical, naming the first other.

    Refuses with NotEligible without lines or amount, and with LimitExceeded when an amount is not in whole fen.
    """
    if not items:
        raise NotEligible("a purchase needs at least one line")
    for number, item in enumerate(items, start=1):
        if item.category not in MEDICAL:
            raise NotMedical(
                f"line {number} is {item.category.value}: the personal account pays for medical goods and services only"
            )
        check_whole(item.amount_fen)
        if item.amount_fen <= 0:
            raise NotEligible(f"line {number} has no amount: it must be above zero")
    return sum(item.amount_fen for item in items)


def check_site(kind: str, *, designated: bool, blacklisted: bool, name: str) -> None:
    """Return when the institution may take the medical wallet; refuse with NotEligible otherwise.

    Refuses, in this order: no medical site, on the blacklist, not designated.
    """
    if kind not in SITES:
        raise NotEligible(f"{name} is no clinic, hospital or pharmacy")
    if blacklisted:
        raise NotEligible(f"{name} is on the dishonesty blacklist: no personal account pays there")
    if not designated:
        raise NotEligible(f"{name} is not a designated institution")
