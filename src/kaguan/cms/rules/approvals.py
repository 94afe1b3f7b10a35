"""Which steps need a second person: some everywhere, others where the region says so."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.regions import RegionRules


class Action(StrEnum):
    """A step that can be asked for and approved."""

    CORRECT = "correct person"
    MERGE = "merge persons"
    PURGE = "purge person"
    RELEASE_FORMAL_LOSS = "release formal loss"
    UNLOCK = "unlock"
    CANCEL = "cancel"


ALWAYS: Final = frozenset({Action.CORRECT, Action.MERGE, Action.PURGE})


def needs_second_person(action: Action, region: RegionRules) -> bool:
    """Return whether nobody may do it alone there."""
    return action in ALWAYS or action in region.approvals_needed
