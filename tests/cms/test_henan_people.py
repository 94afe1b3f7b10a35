"""Henan's and Jilin's operations on people, and a card made while they wait, in messages of made-up people."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring
from django.core.cache import cache

from cms.crowd import citizen_number, enrolled
from cms.neighbours import neighbour_at
from cms.town import BANK, return_row, shown
from cms.web import Caller, machine
from kaguan.cms.api.dialects.messages import written_message
from kaguan.cms.models import (
    AuditEntry,
    Card,
    CardOrder,
    CardRequest,
    Holder,
    HolderChange,
    InstantMark,
    Operator,
    OrderDeadline,
)
from kaguan.cms.rules.deadlines import Urgency
from kaguan.cms.rules.documents import mask_number
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.custody import place_card
from kaguan.cms.services.loss import report_formal_loss
from kaguan.cms.services.requests import check_request

CARD, NEXT, NAME = "990100001", "990100002", "测试人乙"


@pytest.fixture
def person(town):
    """Somebody on the books who has no card."""
    cache.clear()
    enrolled(town, NAME, phone="19900000000")
    return {"AAC147": citizen_number(date(1985, 5, 6), 2), "AAC003": NAME}


@pytest.fixture
def clerk(town):
    return machine(town, "clerk")


def ask(caller: Caller, operation: str, **fields: str) -> dict[str, str]:
    """The fields of the answer."""
    response = caller.client.post(
        "/api/v1/dialects/henan",
        data=written_message("allDsjk", {"操作": operation, **fields}),
        content_type="application/xml",
        secure=True,
        headers=caller.headers,
    )
    assert response.status_code == 200, response.content
    return {field.tag: field.text or "" for field in fromstring(response.content)}


def checked(town) -> None:
    """Somebody else has looked at the request."""
    check_request(town.supervisor, uuid4(), card_request_id=CardRequest.objects.latest("applied_at").pk)


def of_chip(card_no: str) -> dict[str, str]:
    """What a station tells of the card that it made."""
    row = return_row(card_no)
    return {"AAZ500": card_no, "AAZ501": row.card_ident_code, "AAZ507": row.atr}


def test_who_applies_twice_hears_01_and_has_one_request(town, clerk, person):
    assert ask(clerk, "申请社保卡", **person, AAE008=BANK) == {"ERR": "00"}
    assert ask(clerk, "申请社保卡", **person, AAE008=BANK) == {"ERR": "01"}
    assert CardRequest.objects.get().bank_code == BANK
    progress = ask(clerk, "getZkjd", **person)
    assert (progress["ERR"], progress["ZKZT"], progress["TRANSACTTYPE"]) == ("00", "data entry", "1")
    assert ask(clerk, "getAZ03", **person) == progress
    assert "TRANSACTTYPE" in ask(clerk, "申请社保卡", **person, AAE008=BANK, TRANSACTTYPE="9")["ERR"]


def test_facts_are_edited_once_and_shown_masked(clerk, person):
    assert ask(clerk, "人员信息修改", **person, AAE005="19900000001") == {"ERR": "00"}
    changes = HolderChange.objects.count()
    assert ask(clerk, "人员信息修改", **person, AAE005="19900000001") == {"ERR": "01"}
    assert HolderChange.objects.count() == changes
    assert "nothing is to be edited" in ask(clerk, "人员信息修改", **person)["ERR"]
    told = ask(clerk, "getRysj", **person)
    assert (told["ERR"], told["AAC003"], told["AAC004"]) == ("00", "测***", "2")
    assert "1990000000" not in str(told)
    assert person["AAC147"] not in str(told)


def test_a_card_is_made_while_its_holder_waits_and_every_step_may_be_asked_again(town, clerk, person):
    ask(clerk, "申请社保卡", **person, AAE008=BANK)
    assert "not checked" in ask(clerk, "获取批次号", **person)["ERR"]
    checked(town)
    drawn = ask(clerk, "获取批次号", **person)
    assert drawn == ask(clerk, "获取批次号", **person)
    batch = {"BATCHNO": drawn["BATCHNO"], "AAZ500": CARD}
    assert "no batch was formed" in ask(clerk, "查询批次号", **person)["ERR"]
    assert "not the batch number" in ask(clerk, "即制卡批次", **person, **{**batch, "BATCHNO": "JZ1"})["ERR"]
    assert ask(clerk, "即制卡批次", **person, **batch) == {"ERR": "00"}
    assert ask(clerk, "即制卡批次", **person, **batch) == {"ERR": "01"}
    assert "another batch" in ask(clerk, "即制卡批次", **person, **{**batch, "AAZ500": NEXT})["ERR"]
    assert CardOrder.objects.get().pk == drawn["BATCHNO"]
    assert ask(clerk, "获取批次号", **person) == {"ERR": "01", "BATCHNO": drawn["BATCHNO"]}
    assert ask(clerk, "查询批次号", **person) == {"ERR": "00", **batch}
    data = ask(clerk, "即制卡数据", **person, **batch)
    assert (data["AAC147"], data["AAC003"], data["AAE005"]) == (person["AAC147"], NAME, "19900000000")
    line = AuditEntry.objects.get(action="unmask person")
    assert line.detail["reason"] == f"即制卡数据 {drawn['BATCHNO']}"
    failed = ask(clerk, "即制卡回盘", **person, **batch, 失败原因="chip silent")
    assert (failed, ask(clerk, "即制卡回盘", **person, **batch, 失败原因="x")) == ({"ERR": "00"}, {"ERR": "01"})
    assert "AAZ507" in ask(clerk, "即制卡回盘", **person, **batch)["ERR"]
    made = {**person, **batch, **of_chip(CARD)}
    assert ask(clerk, "即制卡回盘", **made) == {"ERR": "00"}
    assert ask(clerk, "即制卡回盘", **made) == {"ERR": "01"}
    assert "no card of that batch" in ask(clerk, "即制卡数据", **person, **batch)["ERR"]
    place_card(town.clerk, uuid4(), card_no=CARD, cabinet="A", position="12")
    progress = ask(clerk, "getZkjd", **person)
    assert (progress["ZXWZ"], progress["ORGANID"]) == ("A 12", "SSB")
    assert ask(clerk, "获取领卡地信息", **person) == {"ERR": "00", "ORGANID": "SSB", "AAB004": "SSB"}


def test_who_waits_is_marked_once_and_listed_masked_one_by_one(town, clerk, person):
    assert "no request" in ask(clerk, "即制卡标注", **person)["ERR"]
    assert ask(clerk, "即制卡人员") == {"ERR": "00", "人数": "0"}
    others = enrolled(town, "测试人丙", serial=4)
    second = {"AAC147": Holder.objects.get(pk=others).cert_no, "AAC003": "测试人丙"}
    for who in (person, second):
        ask(clerk, "申请社保卡", **who, AAE008=BANK)
        assert ask(clerk, "即制卡标注", **who) == {"ERR": "00"}
        assert ask(clerk, "即制卡标注", **who) == {"ERR": "01"}
    assert InstantMark.objects.count() == 2
    listed = [ask(clerk, "即制卡人员", 序号=number) for number in "12"]
    assert ask(clerk, "即制卡人员") == listed[0]
    masked = [mask_number(who["AAC147"]) for who in (person, second)]
    assert [(one["ERR"], one["人数"], one["AAC147"], one["AAC003"], one["ZKZT"]) for one in listed] == [
        ("00", "2", number, "测***", "data entry") for number in masked
    ]
    assert "2 people wait" in ask(clerk, "即制卡人员", 序号="3")["ERR"]
    for strange in ("0", "-1", "x", "１"):
        assert "counts from 1" in ask(clerk, "即制卡人员", 序号=strange)["ERR"]
    assert ask(machine(town, "teller"), "即制卡人员") == {"ERR": "00", "人数": "0"}


def test_who_is_marked_has_a_card_due_at_once_and_is_listed_no_more(town, clerk, person):
    ask(clerk, "申请社保卡", **person, AAE008=BANK)
    ask(clerk, "即制卡标注", **person)
    checked(town)
    batch = {"BATCHNO": ask(clerk, "获取批次号", **person)["BATCHNO"], "AAZ500": CARD}
    assert ask(clerk, "即制卡批次", **person, **batch) == {"ERR": "00"}
    assert OrderDeadline.objects.get().urgency == Urgency.INSTANT
    assert ask(clerk, "即制卡人员") == {"ERR": "00", "人数": "0"}
    assert ask(clerk, "即制卡标注", **person) == {"ERR": "01"}


def test_whose_card_is_ordered_already_is_not_marked(town, clerk, person):
    ask(clerk, "申请社保卡", **person, AAE008=BANK)
    checked(town)
    batch = {"BATCHNO": ask(clerk, "获取批次号", **person)["BATCHNO"], "AAZ500": CARD}
    ask(clerk, "即制卡批次", **person, **batch)
    assert OrderDeadline.objects.get().urgency == Urgency.NORMAL
    assert "ordered or withdrawn" in ask(clerk, "即制卡标注", **person)["ERR"]


def test_a_replacement_wants_a_formal_loss_first(town, clerk, person):
    ask(clerk, "申请社保卡", **person, AAE008=BANK)
    checked(town)
    batch = ask(clerk, "获取批次号", **person)["BATCHNO"]
    ask(clerk, "即制卡批次", **person, BATCHNO=batch, AAZ500=CARD)
    Card.objects.update(application="1", production="70")
    wanted = {**person, "AAE008": BANK, "TRANSACTTYPE": "5"}
    assert "replace refused" in ask(clerk, "申请社保卡", **wanted)["ERR"]
    report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown(person["AAC147"]))
    assert ask(clerk, "申请社保卡", **wanted) == {"ERR": "00"}
    assert ask(clerk, "getZkjd", **person)["TRANSACTTYPE"] == "5"
    checked(town)
    second = ask(clerk, "获取批次号", **person)
    assert second["ERR"] == "00"
    assert ask(clerk, "即制卡批次", **person, BATCHNO=second["BATCHNO"], AAZ500=NEXT) == {"ERR": "00"}
    assert Card.objects.get(pk=CARD).application == "9"


def test_card_and_bank_are_told_with_the_persons_own_card_alone(town, clerk, person):
    assert "has no card" in ask(clerk, "getAC01", **person)["ERR"]
    town.active_card(NEXT, person["AAC147"], NAME)
    told = ask(clerk, "getAC01", **person)
    assert told == {"ERR": "00", "AAZ500": NEXT, "AAE008": BANK, "AAE053": "622999******0001", "AAZ502": "1"}
    assert ask(clerk, "getBank", **person) == {name: value for name, value in told.items() if name != "AAZ500"}
    Card.objects.update(application="A")
    assert "AAZ502" not in ask(clerk, "getBank", **person)


def test_another_name_and_another_city_hear_of_nobody(clerk, person):
    unknown = "and that name is on the books"
    for operation in ("getRysj", "getAC01", "getBank", "getZkjd", "获取批次号", "人员信息修改"):
        wrong = {**person, "AAC003": "别人", "AAE005": "19900000009"}
        assert unknown in ask(clerk, operation, **wrong)["ERR"]
    there = neighbour_at(InstitutionKind.AUTHORITY)
    Operator.objects.filter(pk="clerk").update(institution=there.institution)
    assert unknown in ask(clerk, "getRysj", **person)["ERR"]
    assert "1: nobody" in ask(clerk, "申请社保卡", **person, AAE008=BANK)["ERR"]
