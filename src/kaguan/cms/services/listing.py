"""Write down that a card came onto the blacklist or left it, in the transaction that made it so."""

from __future__ import annotations

from datetime import datetime

from kaguan.cms.models import BlacklistChange, Card, Region
from kaguan.cms.rules.blacklist import listed_for
from kaguan.cms.rules.terms import BlacklistCause


def follow_blacklist(card: Card, before: str, *, reason: str, at: datetime) -> None:
    """Leave the change under the next number of the card's region, where the step of its application made one.

    The region's row is locked until the transaction ends, so numbers come in the order in which they count.
    """
    cause = listed_for(card.application, reason)
    if cause is listed_for(before):
        return
    region = Region.objects.select_for_update(no_key=True).get(pk=card.region.pk)
    BlacklistChange.objects.create(
        region=region,
        sequence=newest_number(region.code) + 1,
        card=card,
        cause=cause or BlacklistCause.UNLOCKED,
        at=at,
    )


def newest_number(region_code: str) -> int:
    """Return the number of the region's newest change, 0 before the first."""
    newest = BlacklistChange.objects.filter(region=region_code).order_by("-sequence").first()
    return newest.sequence if newest else 0
