"""Write down that a card came onto the blacklist or left it, in the transaction that made it so."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

from kaguan.cms.compiled import insert
from kaguan.cms.models import BlacklistChange, Card, Region
from kaguan.cms.rules.blacklist import listed_for
from kaguan.cms.rules.terms import BlacklistCause
from kaguan.cms.sending import send

_LIST_ON_SERVER: Final = (
    "INSERT INTO cms_blacklistchange (region_id, card_id, cause, at) SELECT shared.code, %s, %s, %s "
    "FROM (SELECT code FROM cms_region WHERE code = %s FOR KEY SHARE) AS shared"
)
"""The region's row is locked before the change has its number: a list that is made with a higher one would miss it."""


def follow_blacklist(card: Card, before: str, *, reason: str, at: datetime) -> None:
    """Leave the change on the list of the card's region, where the step of its application made one.

    Changes do not wait for each other: only a list that is being made, and it for them (`last_number`).
    """
    now = listed_for(card.application, reason)
    if now is listed_for(before):
        return
    cause, region = (now or BlacklistCause.UNLOCKED).value, card.region.pk
    if connection.vendor == "postgresql":
        send(connection, _LIST_ON_SERVER, [card.card_no, cause, at, region])
    else:
        insert(BlacklistChange, region_id=region, card_id=card.card_no, cause=cause, at=at)


def last_number(region_code: str) -> int:
    """Return the number of the region's last change, 0 before the first; all below it are committed.

    Until the transaction ends nothing joins the list.
    """
    Region.objects.select_for_update().get(pk=region_code)
    last = BlacklistChange.objects.filter(region=region_code).order_by("-sequence").first()
    return last.sequence if last else 0
