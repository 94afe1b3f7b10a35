"""A card made while its holder waits: mark, list, batch number, batch, data, return; then 领卡启用.

Every step finds out by itself how far the card is, so that a counter that lost its place begins again at the top: what
was done before answers 01. The batch is an order of one card, and its number follows from the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from django.utils import timezone

from kaguan.cms.api.dialects.henan.cards import card_of
from kaguan.cms.api.dialects.henan.fields import (
    ATR,
    BANK_CARD_NO,
    BATCH,
    CARD_NO,
    CERT_NO,
    IDENT_CODE,
    NAME,
    PERSON,
    PROGRESS,
    AlreadySo,
    Fields,
    Operation,
)
from kaguan.cms.api.dialects.henan.people import fields_of, making_of
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.production import Production, Report
from kaguan.cms.rules.refusals import DuplicateRequest, IllegalTransition, NotEligible, NotFound
from kaguan.cms.services.case import Actor
from kaguan.cms.services.instant import instant_requests, mark_instant
from kaguan.cms.services.making import Making
from kaguan.cms.services.people.reading import unmask_person
from kaguan.cms.services.production import RequestRow, order_requests, report_stage
from kaguan.cms.services.stock import receive_stock
from kaguan.personalization.order.returnfile import ReturnRow

FAILURE, NUMBER, HOW_MANY = "失败原因", "序号", "人数"
"""Words of our own: no source names these fields."""
_PREFIX: Final = "JZ"


def _mark(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if making.instant:
        raise AlreadySo
    if not making.card_request_id:
        raise NotFound("the person has no request whose card is still to be made")
    try:
        mark_instant(actor, uuid4(), card_request_id=UUID(making.card_request_id))
    except DuplicateRequest:
        raise AlreadySo from None
    return {}


def _list(actor: Actor, fields: Fields) -> Fields:
    """Tell how many wait, and of one of them who it is, masked: a message has a field of each name once."""
    number = fields.get(NUMBER) or "1"
    if not (number.isascii() and number.isdigit() and int(number)):
        raise NotEligible(f"{NUMBER} counts from 1")
    waiting = instant_requests(actor, uuid4())
    place = int(number) - 1
    if place >= len(waiting) and (waiting or place):
        raise NotFound(f"{len(waiting)} people wait: there is no number {number}")
    if not waiting:
        return {HOW_MANY: "0"}
    one = waiting[place]
    return {HOW_MANY: str(len(waiting)), CERT_NO: one.cert_no, NAME: one.name, PROGRESS: one.progress}


def _batch_of(making: Making) -> str:
    """Return the number of the request's batch, formed or not; refuse while there is nothing to make."""
    if making.stage in {Production.APPLIED, Production.CHECK_FAILED}:
        raise NotEligible("the request for the card is not checked yet")
    if making.stage != Production.CHECKED:
        raise NotFound("the person has no request whose card is still to be made")
    return _PREFIX + UUID(making.card_request_id).hex.upper()


def _draw(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if making.order_no:
        raise AlreadySo({BATCH: making.order_no})
    return {BATCH: _batch_of(making)}


def _look_up(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if not making.order_no:
        raise NotFound("no batch was formed for the person yet")
    return {BATCH: making.order_no, CARD_NO: making.card_no}


def _form(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if making.order_no:
        if (making.order_no, making.card_no) != (fields[BATCH], fields[CARD_NO]):
            raise NotEligible("the person's card is in another batch, or has another number")
        raise AlreadySo
    if fields[BATCH] != _batch_of(making):
        raise NotEligible("that is not the batch number that was drawn for the person")
    until = date.fromisoformat(making.longest_until)
    row = RequestRow(UUID(making.card_request_id), fields[CARD_NO], timezone.localdate(), until)
    urgency = Urgency.INSTANT if making.instant else Urgency.NORMAL
    order_requests(actor, uuid4(), order_no=fields[BATCH], rows=[row], urgency=urgency)
    return {}


def _data(actor: Actor, fields: Fields) -> Fields:
    making = making_of(actor, fields)
    if making.order_no != fields[BATCH] or making.stage != Production.ORDERED:
        raise NotEligible("no card of that batch is still to be made")
    person = unmask_person(actor, uuid4(), holder_id=making.holder_id, reason=f"即制卡数据 {fields[BATCH]}")
    return {CARD_NO: making.card_no, **fields_of(person)}


def _return(actor: Actor, fields: Fields) -> Fields:
    if making_of(actor, fields).order_no != fields[BATCH]:
        raise NotEligible("no card of that batch is the person's")
    before = card_of(actor, fields)
    if fields.get(FAILURE):
        if before.production == Production.MAKE_FAILED:
            raise AlreadySo
        report_stage(actor, uuid4(), card_nos=[fields[CARD_NO]], report=Report.FAIL, why=fields[FAILURE])
        return {}
    if not (fields.get(IDENT_CODE) and fields.get(ATR)):
        raise NotEligible(f"a card that was made has {IDENT_CODE} and {ATR}, one that was not has {FAILURE}")
    row = ReturnRow(
        task_id=fields[BATCH][:32],
        data_seq="1",
        customer_id="",
        name=fields[NAME],
        cert_no=fields[CERT_NO],
        card_no=fields[CARD_NO],
        card_ident_code=fields[IDENT_CODE],
        atr=fields[ATR],
        bank_card_no=fields.get(BANK_CARD_NO, ""),
    )
    try:
        receive_stock(actor, uuid4(), rows=[row])
    except IllegalTransition:
        if before.production not in {Production.AT_OUTLET, Production.HANDED_OVER}:
            raise
        raise AlreadySo from None
    return {}


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "即制卡标注": Operation(PERSON, _mark),
        "即制卡人员": Operation((), _list),
        "获取批次号": Operation(PERSON, _draw),
        "查询批次号": Operation(PERSON, _look_up),
        "即制卡批次": Operation((*PERSON, BATCH, CARD_NO), _form),
        "即制卡数据": Operation((*PERSON, BATCH), _data),
        "即制卡回盘": Operation((*PERSON, BATCH, CARD_NO), _return),
    }
)
