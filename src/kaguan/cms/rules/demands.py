"""What has to be there before a card is cancelled, as far as the books and whoever asks can say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from kaguan.cms.rules.choices import Demand
from kaguan.cms.rules.production import Production
from kaguan.cms.rules.refusals import NotEligible

KNOWN_TO_BOOKS: Final = frozenset({Demand.CARD_RECOVERED, Demand.SECOND_PERSON})
"""Nobody says that these are met: the card's place in production and the approval do."""


@dataclass(frozen=True, slots=True)
class Met:
    """That a demand is met, and where that can be looked up."""

    demand: Demand
    evidence: str


def open_demands(
    demands: Sequence[Demand], met: Collection[Demand], *, production: str, approved: bool
) -> tuple[Demand, ...]:
    """Return those that nothing meets. A card that its holder does not have counts as recovered."""
    fulfilled = set(met) - KNOWN_TO_BOOKS
    if production != Production.HANDED_OVER:
        fulfilled.add(Demand.CARD_RECOVERED)
    if approved:
        fulfilled.add(Demand.SECOND_PERSON)
    return tuple(demand for demand in demands if demand not in fulfilled)


def check_met(met: Sequence[Met]) -> None:
    """Return when everything said to be met can be looked up; refuse with NotEligible, naming the first other."""
    for one in met:
        if one.demand in KNOWN_TO_BOOKS:
            raise NotEligible(f"{one.demand} is not said but done: the books know it")
        if not one.evidence.strip():
            raise NotEligible(f"{one.demand} needs evidence that somebody else can look up")
