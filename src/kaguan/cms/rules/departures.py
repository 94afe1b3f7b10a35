"""Why a person has no business with cards here any more, and what that ends their cards with."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kaguan.cms.rules.lifecycle import CancelReason


class DepartureKind(StrEnum):
    """That a person died, moved their insurance elsewhere, or left the country for good."""

    DEAD = "dead"
    TRANSFERRED = "transferred"
    EMIGRATED = "emigrated"


REASON_OF: Final[Mapping[DepartureKind, CancelReason]] = MappingProxyType(
    {
        DepartureKind.DEAD: CancelReason.DEATH,
        DepartureKind.TRANSFERRED: CancelReason.TRANSFERRED_OUT,
        DepartureKind.EMIGRATED: CancelReason.TRANSFERRED_OUT,
    }
)
