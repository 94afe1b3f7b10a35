"""How far a loss report reaches: whether the bank's side of the card comes along."""

from __future__ import annotations

from kaguan.cms.rules.choices import LossScope


def takes_bank_along(scope: LossScope, *, at_own_bank: bool) -> bool:
    """Return whether a report takes the bank's side along; `at_own_bank`, it is made where that bank serves."""
    return scope is LossScope.TOGETHER or (scope is LossScope.TOGETHER_AT_BANK and at_own_bank)
