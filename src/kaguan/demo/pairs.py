"""Two pairs of eyes: what one asks for and another one approves."""

from __future__ import annotations

from uuid import UUID, uuid4

from kaguan.apdu.errors import NeedsSecondPerson, RuleBroken
from kaguan.cms.models import Card
from kaguan.cms.rules.documents import Document
from kaguan.cms.services import loss
from kaguan.cms.services.approvals.asking import ask_correction, ask_release
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.case import Actor
from kaguan.demo.screen import fact, refused
from kaguan.demo.town import Town


def correct_name(town: Town, card: Card) -> None:
    """The holder's name is another one, and was only changed by two."""
    was = card.holder.name
    for wanted in (was[:1] + "某", was):
        asked = ask_correction(
            town.chief, uuid4(), holder_id=card.holder_id, wanted={"name": wanted}, reason="household register shown"
        )
        if wanted != was:
            with refused("the chief, who may approve, approves what the chief asked for", NeedsSecondPerson):
                _approve(town.chief, asked.approval_id)
        _approve(town.supervisor, asked.approval_id)
    fact("a name is corrected, and corrected back: one asks, another one approves, each time")


def release_found(town: Town, card_no: str, document: Document) -> None:
    """The card was lost formally, found, and is in use again by two people's word."""
    loss.report_formal_loss(town.teller, uuid4(), card_no=card_no, document=document)
    with refused("one teller releases a formal loss", RuleBroken):
        loss.release_loss(town.teller, uuid4(), card_no=card_no, document=document)
    asked = ask_release(town.teller, uuid4(), card_no=card_no, document=document, reason="found at home")
    _approve(town.supervisor, asked.approval_id)
    fact(f"card {card_no} was found: the teller asks, the supervisor approves, it is in use again")


def _approve(actor: Actor, approval_id: str) -> None:
    approve(actor, uuid4(), approval_id=UUID(approval_id))
