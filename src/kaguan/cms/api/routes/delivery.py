"""A card reaches its holder and comes into use, at a counter without a reader."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from ninja import Router

from kaguan.cms.api.asked import Key, Seen, answers, asks_for
from kaguan.cms.api.shapes import AgentShown, CardNo, DocumentShown, OnCounter, Strict
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.services import issue
from kaguan.cms.services.activation.entry import ActivationState
from kaguan.cms.services.case import CardState

router: Final = Router(tags=["delivery"])


class Delivery(Strict):
    """What lies on the counter, and what comparing the person with it came to."""

    document: DocumentShown
    verdict: Verdict
    guardian: AgentShown | None = None


@router.post("/{card_no}/hand-over", response=answers(CardState), operation_id="hand_over_card")
def hand_over(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Delivery) -> CardState:
    """Hand the card to its holder, or to a minor's guardian."""
    return issue.hand_over(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        verdict=body.verdict,
        guardian=body.guardian.agent() if body.guardian else None,
    )


@router.post("/{card_no}/give-back", response=answers(CardState), operation_id="give_card_back")
def give_back(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: Delivery) -> CardState:
    """Give a found card back to its holder, or to a minor's guardian."""
    return issue.give_back(
        *asks_for(request, key, seen),
        card_no=card_no,
        document=body.document.document(),
        verdict=body.verdict,
        guardian=body.guardian.agent() if body.guardian else None,
    )


@router.post("/{card_no}/activation", response=answers(ActivationState), operation_id="activate_card")
def activate(request: HttpRequest, card_no: CardNo, key: Key, seen: Seen, body: OnCounter) -> ActivationState:
    """Bring the card into use at an outlet of its bank; the record on its chip is owed."""
    return issue.activate(
        *asks_for(request, key, seen), card_no=card_no, document=body.document.document(), papers=body.papers
    )
