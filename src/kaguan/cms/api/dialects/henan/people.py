"""Operations on a person by document and name: apply, edit, and what the books say of them and of their card."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from kaguan.cms.api.dialects.henan.fields import (
    ARRIVED,
    BANK,
    BANK_CARD_NO,
    BATCH,
    CARD_NO,
    CERT_NO,
    KIND,
    NAME,
    PERSON,
    PLACE,
    PLACE_OF_CARD,
    PROGRESS,
    STATE,
    UNIT_NAME,
    AlreadySo,
    Fields,
    Operation,
    cert_type_of,
    document_of,
)
from kaguan.cms.rules.adapters.henan import FACTS, TRANSACTTYPE
from kaguan.cms.rules.adapters.ministry import AAZ502
from kaguan.cms.rules.applying import ApplicationWay, Obstacle, Presence, RequestKind
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.refusals import MayNotHaveCard, NotEligible, NotFound
from kaguan.cms.services.case import Actor
from kaguan.cms.services.looking import CardView, look_at_card_of
from kaguan.cms.services.making import Making, look_at_making
from kaguan.cms.services.people.enrolment import edit_person
from kaguan.cms.services.people.reading import Person, look_at_person
from kaguan.cms.services.requests import Applicant, Wish, apply


def making_of(actor: Actor, fields: Fields) -> Making:
    """Return how far the card of the person is whom the message names."""
    named = {"cert_type": cert_type_of(fields), "cert_no": fields[CERT_NO], "name": fields[NAME]}
    return look_at_making(actor, uuid4(), **named)


def _apply(actor: Actor, fields: Fields) -> Fields:
    kind = TRANSACTTYPE.decode(fields.get(KIND) or TRANSACTTYPE.encode(RequestKind.NEW))
    reason = CancelReason.LOST if kind is RequestKind.REPLACEMENT else ""
    presence = Presence(ApplicationWay.PERSON, document_of(fields), verdict=Verdict.SAME_PERSON)
    try:
        apply(
            actor,
            uuid4(),
            applicant=Applicant(cert_type_of(fields), fields[CERT_NO].upper(), fields[NAME]),
            wish=Wish(RequestKind(kind), fields[BANK], fields.get(PLACE, ""), reason),
            presence=presence,
        )
    except MayNotHaveCard as refusal:
        if refusal.which != Obstacle.REQUEST_OPEN:
            raise
        raise AlreadySo from None
    return {}


def _edit(actor: Actor, fields: Fields) -> Fields:
    facts = {fact.value: fields[name] for name, fact in FACTS.items() if fields.get(name)}
    if not facts:
        raise NotEligible(f"nothing is to be edited: name one of {', '.join(FACTS)}")
    holder_id = making_of(actor, fields).holder_id
    if not edit_person(actor, uuid4(), holder_id=holder_id, facts=facts).changed:
        raise AlreadySo
    return {}


def _person(actor: Actor, fields: Fields) -> Fields:
    return fields_of(look_at_person(actor, uuid4(), holder_id=making_of(actor, fields).holder_id))


def fields_of(person: Person) -> Fields:
    """Return the person as a message has them."""
    told = {name: person.facts[fact] for name, fact in FACTS.items() if fact in person.facts}
    return {CERT_NO: person.cert_no, NAME: person.name, **told}


def _newest_card(actor: Actor, fields: Fields) -> CardView:
    card_no = making_of(actor, fields).card_no
    if not card_no:
        raise NotFound("the person has no card")
    return look_at_card_of(actor, uuid4(), card_no=card_no, cert_no=fields[CERT_NO], name=fields[NAME])


def _card(actor: Actor, fields: Fields) -> Fields:
    card = _newest_card(actor, fields)
    return {CARD_NO: card.card_no, **_bank_side(card)}


def _bank(actor: Actor, fields: Fields) -> Fields:
    return _bank_side(_newest_card(actor, fields))


def _bank_side(card: CardView) -> Fields:
    """Return bank and state; a card that is not enabled yet has none in their list, so it is left out."""
    state = Application(card.application)
    standing = {} if state in AAZ502.inexpressible else {STATE: AAZ502.encode(state)}
    return {BANK: card.bank_code, BANK_CARD_NO: card.bank_card_no, **standing}


def _progress(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    kind = RequestKind(making.request_kind) if making.request_kind else None
    said = {} if kind is None or kind in TRANSACTTYPE.inexpressible else {KIND: TRANSACTTYPE.encode(kind)}
    return {
        PROGRESS: making.progress.value,
        BATCH: making.order_no,
        PLACE_OF_CARD: making.place,
        ARRIVED: making.received_at,
        PLACE: making.institution,
        **said,
    }


def _where_to_collect(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if not making.institution:
        raise NotFound("no card of the person has arrived anywhere yet")
    return {PLACE: making.institution, UNIT_NAME: making.institution_name}


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "申请社保卡": Operation((*PERSON, BANK), _apply),
        "人员信息修改": Operation(PERSON, _edit),
        "获取领卡地信息": Operation(PERSON, _where_to_collect),
        "getRysj": Operation(PERSON, _person),
        "getAC01": Operation(PERSON, _card),
        "getBank": Operation(PERSON, _bank),
        "getAZ03": Operation(PERSON, _progress),
        "getZkjd": Operation(PERSON, _progress),
    }
)
