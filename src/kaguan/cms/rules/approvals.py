"""Which steps need a second person: some everywhere, others where the region says so."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Action(StrEnum):
    """A step that can be asked for and approved."""

    CORRECT = "correct person"
    MERGE = "merge persons"
    PURGE = "purge person"
    RELEASE_FORMAL_LOSS = "release formal loss"
    UNLOCK = "unlock"
    CANCEL = "cancel"
    SETTLE_CASE = "settle case"
    MAKE_AGAIN = "make card again"


ALWAYS: Final = frozenset({Action.CORRECT, Action.MERGE, Action.PURGE, Action.SETTLE_CASE})


def needs_second_person(action: Action, needed_here: Collection[str]) -> bool:
    """Return whether nobody may do it alone where the region asks for approval of these."""
    return action in ALWAYS or action in needed_here
