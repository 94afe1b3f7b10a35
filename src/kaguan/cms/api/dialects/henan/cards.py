"""Operations on a card by its number: lost, found, into use, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from kaguan.cms.api.dialects.henan.fields import CARD_NO, CERT_NO, NAME, PERSON, STATE, AlreadySo, Fields, Operation
from kaguan.cms.api.dialects.henan.fields import document_of as shown
from kaguan.cms.rules.adapters.ministry import AAZ502
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import IllegalTransition
from kaguan.cms.services.case import Actor
from kaguan.cms.services.issue import activate
from kaguan.cms.services.looking import CardView, look_at_card_of
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss


def card_of(actor: Actor, fields: Fields) -> CardView:
    """Return the card that the message names; refuse another person's like no card at all."""
    return look_at_card_of(actor, uuid4(), card_no=fields[CARD_NO], cert_no=fields[CERT_NO], name=fields[NAME])


def _step(ask: Callable[[Actor, Fields], object], leaves: Application) -> Operation:
    """Return the operation that moves a card; one that stands in that state already is told so."""

    def answer(actor: Actor, fields: Fields) -> Fields:
        card_of(actor, fields)
        try:
            ask(actor, fields)
        except IllegalTransition:
            if card_of(actor, fields).application != leaves:
                raise
            raise AlreadySo from None
        return {}

    return Operation((CARD_NO, *PERSON), answer)


def _state(actor: Actor, fields: Fields) -> Fields:
    return {STATE: AAZ502.encode(Application(card_of(actor, fields).application))}


_LOSE: Final = _step(
    lambda actor, fields: report_temporary_loss(actor, uuid4(), card_no=fields[CARD_NO]), Application.TEMPORARY_LOSS
)
_RELEASE: Final = _step(
    lambda actor, fields: release_loss(actor, uuid4(), card_no=fields[CARD_NO], document=shown(fields)),
    Application.NORMAL,
)
OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "临时挂失": _LOSE,
        "一张网临时挂失": _LOSE,
        "正式挂失": _step(
            lambda actor, fields: report_formal_loss(actor, uuid4(), card_no=fields[CARD_NO], document=shown(fields)),
            Application.FORMAL_LOSS,
        ),
        "解除挂失": _RELEASE,
        "一张网解挂": _RELEASE,
        "领卡启用": _step(
            lambda actor, fields: activate(actor, uuid4(), card_no=fields[CARD_NO], document=shown(fields)),
            Application.NORMAL,
        ),
        "getCard": Operation((CARD_NO, *PERSON), _state),
    }
)
