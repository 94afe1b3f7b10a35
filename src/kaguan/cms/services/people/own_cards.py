"""What holders do about their cards by themselves, signed in at a portal."""

from __future__ import annotations

from dataclasses import replace

from kaguan.cms.models import Card
from kaguan.cms.rules.refusals import NotFound
from kaguan.cms.rules.rights import Right
from kaguan.cms.rules.terms import Channel
from kaguan.cms.services.access.holders import signed_in_holder
from kaguan.cms.services.case import CardState, Case
from kaguan.cms.services.loss import REPORTED_BY_HOLDER, lose_for_now
from kaguan.cms.services.use_case import use_case
from kaguan.vault.secret import Secret


def own_card(case: Case, token: Secret, card_no: str) -> Card:
    """Return the card of the signed-in holder, locked until the request ends.

    Refuses, in this order: as `signed_in_holder`, no such card of this holder, own card of the portal's operator.
    """
    holder = signed_in_holder(case, token)
    if not Card.objects.filter(pk=card_no, holder=holder).exists():
        raise NotFound(f"you have no card {card_no}")
    return case.card(card_no)


@use_case("report own loss", Right.SERVE_ONLINE, CardState)
def report_own_loss(case: Case, /, *, token: Secret, card_no: str, channel: Channel | None = None) -> CardState:
    """Leave the signed-in holder's card unusable for the days that its region allows, as a report by phone does.

    The loss is taken back, or made formal, at a counter. Refuses, in this order: as `own_card`, channel, state.
    """
    card = own_card(case, token, card_no)
    circumstances = replace(case.circumstances(card), holder_signed_in=True)
    return lose_for_now(case, card, REPORTED_BY_HOLDER, circumstances, channel)
