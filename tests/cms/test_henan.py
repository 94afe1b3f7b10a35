"""Henan's and Jilin's operations, in recorded messages of made-up people; attacks on whoever reads XML."""

from __future__ import annotations

from uuid import uuid4

import pytest
from defusedxml.ElementTree import fromstring
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from cms.neighbours import neighbour_at
from cms.town import CERT_NO, NAME
from cms.web import Caller, machine
from kaguan.apdu.errors import InputError
from kaguan.cms.api.dialects.henan.answering import OPERATIONS
from kaguan.cms.api.dialects.messages import read_message, written_message
from kaguan.cms.models import Card, CardEvent, CardFee, Operator
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.set_up import set_region

CARD = "990100001"
RECORDED = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<allDsjk>
  <操作>{{}}</操作>
  <AAZ500>{CARD}</AAZ500>
  <AAC147>{CERT_NO}</AAC147>
  <AAC003>{NAME}</AAC003>
</allDsjk>
"""


@pytest.fixture
def centre(town):
    """The outlet's teller, in Henan's words; the card is with its holder and not in use yet."""
    cache.clear()
    town.order(CARD)
    town.receive(CARD)
    town.hand_over(CARD)
    return machine(town, "teller")


def tell(caller: Caller, message: str | bytes, kind: str = "application/xml"):
    """The response to a message."""
    body = message.encode() if isinstance(message, str) else message
    return caller.client.post(
        "/api/v1/dialects/henan", data=body, content_type=kind, secure=True, headers=caller.headers
    )


def ask(caller: Caller, operation: str) -> dict[str, str]:
    """The fields of the answer to the recorded message with this operation."""
    response = tell(caller, RECORDED.format(operation))
    assert response.status_code == 200
    return {field.tag: field.text for field in fromstring(response.content)}


def test_a_repeated_operation_answers_01_and_does_nothing(centre):
    life = [("领卡启用", "1"), ("临时挂失", "4"), ("正式挂失", "2")]
    for operation, state in life:
        assert ask(centre, operation) == {"ERR": "00"}
        before = CardEvent.objects.count()
        assert ask(centre, operation) == {"ERR": "01"}
        assert CardEvent.objects.count() == before
        assert Card.objects.get().application == state
        assert ask(centre, "getCard") == {"ERR": "00", "AAZ502": state}


def test_a_found_card_is_released(centre):
    for operation in ("领卡启用", "临时挂失", "解除挂失"):
        assert ask(centre, operation) == {"ERR": "00"}
    assert ask(centre, "解除挂失") == {"ERR": "01"}


@pytest.mark.acceptance("S0-20")
def test_a_fee_is_registered_asked_for_and_taken_back(centre, town):
    for operation in ("领卡启用", "正式挂失"):
        assert ask(centre, operation) == {"ERR": "00"}
    paid = RECORDED.replace("</allDsjk>", "<票据号>R7</票据号></allDsjk>").format("交费登记")
    assert "costs nothing" in tell(centre, paid).content.decode()
    set_region(town.administrator, uuid4(), settings={"replacement_fee_fen": 2_500})
    assert ask(centre, "查询交费登记状态") == {"ERR": "00", "交费状态": "0"}
    assert tell(centre, RECORDED.format("交费登记")).status_code == 422
    for answer in ("00", "01"):
        assert f"<ERR>{answer}</ERR>" in tell(centre, paid).content.decode()
    assert ask(centre, "查询交费登记状态") == {"ERR": "00", "交费状态": "1"}
    assert ask(centre, "撤销交费登记") == {"ERR": "00"}
    assert ask(centre, "撤销交费登记") == {"ERR": "01"}
    assert [fee.state for fee in CardFee.objects.all()] == ["withdrawn"]


def test_a_refusal_is_told_in_words(centre):
    answer = ask(centre, "临时挂失")
    assert "not activated" in answer["ERR"]


def test_another_person_and_another_city_hear_of_no_card(centre):
    unknown = "no card 990100001 is on the books"
    for wrong in (RECORDED.replace(NAME, "别人"), RECORDED.replace(CERT_NO, "990101198811110028")):
        assert unknown in tell(centre, wrong.format("临时挂失")).content.decode()
    there = neighbour_at(InstitutionKind.OUTLET)
    Operator.objects.filter(pk="teller").update(institution=there.institution)
    assert unknown in ask(centre, "getCard")["ERR"]


def test_only_who_is_admitted_is_heard(centre):
    assert tell(Caller("kgm_forged"), RECORDED.format("getCard")).status_code == 401
    assert tell(centre, RECORDED.format("getCard"), "application/json").status_code == 415


ATTACKS = {
    "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><allDsjk><操作>&x;</操作></allDsjk>',
    "billion laughs": '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]><allDsjk><操作>&b;</操作></allDsjk>',
    "document type": "<!DOCTYPE allDsjk><allDsjk/>",
    "remote type": '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><allDsjk/>',
    "depth": "<allDsjk>" + "<a>" * 5000 + "</a>" * 5000 + "</allDsjk>",
    "doubles": RECORDED.replace("</allDsjk>", f"<AAZ500>{CARD}</AAZ500></allDsjk>"),
    "attributes": RECORDED.replace("<AAZ500>", '<AAZ500 a="1">'),
    "other root": "<x/>",
    "no xml": "hello",
    "half": RECORDED[:60],
    "strange encoding": '<?xml version="1.0" encoding="no-such"?><allDsjk/>',
    "size": "<allDsjk><a>" + "x" * 70_000 + "</a></allDsjk>",
    "fields": "<allDsjk>" + "".join(f"<a{n}/>" for n in range(100)) + "</allDsjk>",
    "long": f"<allDsjk><a>{'x' * 300}</a></allDsjk>",
    "lacking": "<allDsjk><操作>getCard</操作></allDsjk>",
    "unknown operation": RECORDED.replace("{}", "删除全部"),
}


@pytest.mark.parametrize("message", ATTACKS.values(), ids=ATTACKS)
def test_strange_messages_are_refused_and_change_nothing(centre, message):
    before = CardEvent.objects.count()
    response = tell(centre, message)
    assert (response.status_code, response.json()["code"]) == (422, "bad_input")
    assert "root:" not in response.content.decode()
    assert CardEvent.objects.count() == before


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=200)


@given(st.dictionaries(st.sampled_from(("ERR", "AAZ500", "AAC003", "操作")), TEXTS))
def test_what_is_written_is_read_again(fields):
    assert read_message(written_message("allDsjk", fields), "allDsjk") == fields


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_be_refused(body):
    with pytest.raises(InputError):
        read_message(body, "allDsjk")


def test_every_operation_is_named_in_the_provinces_words():
    on_cards = {"临时挂失", "正式挂失", "解除挂失", "领卡启用", "一张网临时挂失", "一张网解挂", "getCard"}
    on_people = {"申请社保卡", "人员信息修改", "获取领卡地信息", "getRysj", "getAC01", "getBank", "getAZ03", "getZkjd"}
    instant = {"即制卡标注", "即制卡人员", "获取批次号", "查询批次号", "即制卡批次", "即制卡数据", "即制卡回盘"}
    fees = {"交费登记", "查询交费登记状态", "撤销交费登记"}
    assert set(OPERATIONS) == on_cards | on_people | instant | fees
