"""A temporary card (临时卡): paper for the weeks without a card, without bank function, for one region only."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from kaguan.cms.rules.axis import Axis, row
from kaguan.cms.rules.rights import Right


class TemporaryState(StrEnum):
    """What became of a temporary card."""

    VALID = "1"
    LAPSED = "4"
    RETURNED = "9"


TEMPORARY_CARD: Final = Axis(
    name="temporary card",
    states=TemporaryState,
    initial=TemporaryState.VALID,
    final=frozenset({TemporaryState.RETURNED}),
    transitions=(
        row("extend", [TemporaryState.VALID], TemporaryState.VALID, Right.REPLACE),
        row("lapse", [TemporaryState.VALID], TemporaryState.LAPSED, Right.CLOCK),
        row("end", [TemporaryState.VALID], TemporaryState.LAPSED, Right.CANCEL),
        # It has to be given back also when it has lapsed.
        row("return", [TemporaryState.VALID, TemporaryState.LAPSED], TemporaryState.RETURNED, Right.REPLACE),
    ),
    refusals={
        TemporaryState.VALID: "the temporary card is valid",
        TemporaryState.LAPSED: "the temporary card has lapsed",
        TemporaryState.RETURNED: "the temporary card was given back",
    },
)
