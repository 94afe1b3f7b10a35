"""How a holder keeps a card well, and what becomes of one that is not: each rule with the damage that it prevents."""

from __future__ import annotations

from typing import Final, NamedTuple

from kaguan.cms.rules.applying import Damage


class CareRule(NamedTuple):
    """What to leave, and what it would do to the card."""

    rule: str
    prevents: Damage


CARE: Final = (
    CareRule("do not bend it", Damage.CHIP_UNREADABLE),
    CareRule("do not crease it", Damage.FACE_WORN),
    CareRule("keep it from heat", Damage.CHIP_UNREADABLE),
    CareRule("keep it from water", Damage.FACE_WORN),
    CareRule("keep it away from phones", Damage.STRIPE_UNREADABLE),
    CareRule("keep it away from magnets", Damage.STRIPE_UNREADABLE),
)
