"""What a card costs its holder: the first one, another one, and what bad quality is worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from kaguan.cms.rules.lifecycle import ExchangeReason
from kaguan.cms.rules.regions import RegionRules


class FeeState(StrEnum):
    """What became of a fee: due, paid, taken back, or spent on the card that it was for."""

    DUE = "due"
    PAID = "paid"
    WITHDRAWN = "withdrawn"
    SPENT = "spent"


OPEN_FEE: Final = frozenset({FeeState.DUE, FeeState.PAID})
"""Where a fee is still to be spent or taken back; a person has one open fee at a time."""


class FeeKind(StrEnum):
    """What is paid for."""

    FIRST = "first card"
    LOST = "card in place of a lost one"
    EXCHANGED = "card in place of an exchanged one"
    RENEWED = "card in place of one that ends"


FREE: Final = 0


@dataclass(frozen=True, slots=True)
class Replaced:
    """The card whose place another one takes: when it was issued, and the reason of an exchange."""

    issued_on: date
    reason: str = ""


def fee_fen(rules: RegionRules, kind: FeeKind, replaced: Replaced | None, on: date) -> int:
    """Return what the card costs that day, in fen; a card that merely ends is followed by a free one.

    Bad quality is replaced free until `warranty_days` after the issue, where the region says so.
    """
    if kind is FeeKind.FIRST:
        return rules.first_card_fee_fen
    if kind is FeeKind.RENEWED or replaced is None or replaced.reason == ExchangeReason.EXPIRY:
        return FREE
    if replaced.reason == ExchangeReason.QUALITY and _in_warranty(rules, replaced, on):
        return FREE
    return rules.replacement_fee_fen


def _in_warranty(rules: RegionRules, replaced: Replaced, on: date) -> bool:
    return rules.warranty_free and on <= replaced.issued_on + timedelta(days=rules.warranty_days)
