"""What a holder is told of a card on its way: few plain stages instead of the many states of production."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.production import Production


class Progress(StrEnum):
    """The stages that a holder sees."""

    NONE = "no card and no request"
    DATA_ENTRY = "data entry"
    ACCEPTED = "accepted"
    MAKING = "making"
    ON_THE_WAY = "on the way to the outlet"
    AT_OUTLET = "at the outlet: collect it"
    NOT_ACTIVATED = "handed out, not activated"
    IN_USE = "handed out"
    FAILED = "failed: it is being seen to"
    ENDED = "ended"


_P = Production

PROGRESS_OF: Final[Mapping[Production, Progress]] = MappingProxyType(
    {
        _P.APPLIED: Progress.DATA_ENTRY,
        _P.CHECKED: Progress.ACCEPTED,
        _P.CHECK_FAILED: Progress.FAILED,
        _P.WITHDRAWN: Progress.ENDED,
        _P.ORDERED: Progress.MAKING,
        _P.BATCHED: Progress.MAKING,
        _P.BATCH_FAILED: Progress.FAILED,
        _P.SENT_TO_BANK: Progress.MAKING,
        _P.ACCOUNT_OPENED: Progress.MAKING,
        _P.BANK_EXPORT_FAILED: Progress.FAILED,
        _P.ACCOUNT_FAILED: Progress.FAILED,
        _P.SENT_TO_BUREAU: Progress.MAKING,
        _P.RETURNED: Progress.ON_THE_WAY,
        _P.BUREAU_EXPORT_FAILED: Progress.FAILED,
        _P.MAKE_FAILED: Progress.FAILED,
        _P.MADE: Progress.ON_THE_WAY,
        _P.SHIPPING_FAILED: Progress.FAILED,
        _P.AT_OUTLET: Progress.AT_OUTLET,
        _P.UNDELIVERABLE: Progress.FAILED,
        _P.HANDED_OVER: Progress.IN_USE,
        _P.RECOVERED: Progress.ENDED,
        _P.SCRAPPED: Progress.ENDED,
    }
)


def progress_of(production: str, application: str = Application.NOT_ENABLED) -> Progress:
    """Return the stage that the holder is told; a card that is cancelled or sealed has ended whatever its place."""
    if application in {Application.CANCELLED, Application.SEALED}:
        return Progress.ENDED
    stage = PROGRESS_OF[Production(production)]
    if stage is Progress.IN_USE and application == Application.NOT_ENABLED:
        return Progress.NOT_ACTIVATED
    return stage
