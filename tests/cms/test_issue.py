"""From an order to a card in use: who may do which step, and what stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.town import BANK, CERT_NO, EXPIRES, ISSUED, NAME, copied, return_row, shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.models import Card, CardEvent, Institution, Operator, StockItem
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import APPLICATION, Application, BankFunction, CancelReason, LockReason, Pin, Production
from kaguan.cms.rules.refusals import (
    DuplicateRequest,
    IllegalTransition,
    NotAllowed,
    NotEligible,
    NotFound,
)
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.rules.rights import Role
from kaguan.cms.services.case import Actor, Case
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.lock import cancel, lock, seal, unlock
from kaguan.cms.services.orders import OrderRow, order_cards
from kaguan.cms.services.pin import record_pin_blocked, record_pin_change, reset_pin
from kaguan.cms.services.set_up import found, register_institution, register_operator
from kaguan.cms.services.stock import receive_stock

ROW = OrderRow("990100001", "01", CERT_NO, NAME, BANK, "", ISSUED, EXPIRES)
OTHER_CERT_NO = "990101198811110028"


@pytest.mark.acceptance("S2-1")
@pytest.mark.acceptance("S2-2")
@pytest.mark.acceptance("S0-10")
def test_a_card_is_activated_at_an_outlet_of_its_own_bank(town):
    card_no = town.order()
    town.receive(card_no)
    town.hand_over(card_no)
    state = activate(town.teller, uuid4(), card_no=card_no, document=shown())
    assert (state.application, state.bank_function) == (Application.NORMAL, BankFunction.ACTIVE)
    steps = list(CardEvent.objects.order_by("id").values_list("axis", "event", "to_state"))
    assert steps == [
        ("production", "order", "00"),
        ("production", "receive", "60"),
        ("production", "hand_over", "70"),
        ("application", "activate", "1"),
        ("bank function", "activate", "1"),
    ]


def test_an_expired_card_is_neither_handed_over_nor_activated(town):
    card_no = town.order()
    town.receive(card_no)
    expire = {"issue_date": date(2010, 1, 1), "valid_until": date(2020, 1, 1)}
    Card.objects.update(**expire)
    with pytest.raises(NotEligible, match="expired"):
        town.hand_over(card_no)
    Card.objects.update(valid_until=EXPIRES)
    town.hand_over(card_no)
    Card.objects.update(**expire)
    with pytest.raises(NotEligible, match="expired"):
        activate(town.teller, uuid4(), card_no=card_no, document=shown())


@pytest.mark.acceptance("S2-3")
def test_an_outlet_of_another_bank_sends_the_holder_away(town):
    card_no = town.order()
    town.receive(card_no)
    town.hand_over(card_no)
    with pytest.raises(NotEligible, match=f"belongs to bank {BANK}"):
        activate(town.other_bank_teller, uuid4(), card_no=card_no, document=shown())
    assert Card.objects.get().application == Application.NOT_ENABLED


@pytest.mark.parametrize("document", [copied(), shown(OTHER_CERT_NO)])
def test_activation_needs_the_holders_original_document(town, document):
    card_no = town.order()
    town.receive(card_no)
    town.hand_over(card_no)
    with pytest.raises(NotEligible, match="document"):
        activate(town.teller, uuid4(), card_no=card_no, document=document)


def test_a_card_is_delivered_before_it_is_activated(town):
    card_no = town.order()
    for prepare in (lambda: None, lambda: town.receive(card_no)):
        prepare()
        with pytest.raises(NotEligible, match="not been handed over"):
            activate(town.teller, uuid4(), card_no=card_no, document=shown())


def test_the_card_is_handed_to_its_holder_only(town):
    card_no = town.order()
    with pytest.raises(IllegalTransition, match="still being made"):
        hand_over(town.teller, uuid4(), card_no=card_no, document=shown(), verdict=Verdict.SAME_PERSON)
    town.receive(card_no)
    with pytest.raises(NotEligible, match="not the person"):
        hand_over(town.teller, uuid4(), card_no=card_no, document=shown(), verdict=Verdict.ANOTHER_PERSON)
    with pytest.raises(NotEligible, match="not in the custody of ABC-1"):
        hand_over(town.other_bank_teller, uuid4(), card_no=card_no, document=shown(), verdict=Verdict.SAME_PERSON)
    assert StockItem.objects.get().handed_over_at is None
    town.hand_over(card_no)
    assert StockItem.objects.get().handed_over_at is not None
    with pytest.raises(IllegalTransition, match="handed over already"):
        town.hand_over(card_no)


def test_nobody_takes_a_card_from_order_to_issue(town):
    Operator.objects.filter(code="teller").update(roles=[Role.AUTHORITY_CLERK.value, Role.OUTLET_TELLER.value])
    order_cards(town.teller, uuid4(), order_no="B1", rows=[ROW])
    town.receive(ROW.card_no)
    with pytest.raises(NeedsSecondPerson, match="ordered the card"):
        town.hand_over(ROW.card_no)
    hand_over(town.second_teller, uuid4(), card_no=ROW.card_no, document=shown(), verdict=Verdict.SAME_PERSON)


def test_nobody_acts_on_a_card_of_their_own(town):
    card_no = town.active_card()
    register_operator(
        town.administrator,
        uuid4(),
        code="self",
        name="self",
        institution="ICBC-1",
        roles=[Role.OUTLET_TELLER],
        own_document=("01", CERT_NO),
    )
    with pytest.raises(NeedsSecondPerson):
        reset_pin(Actor("self", "ICBC-1"), uuid4(), card_no=card_no, document=shown())
    Operator.objects.filter(code="self").update(institution="SSB", roles=[Role.AUTHORITY_CLERK.value])
    clerk = replace(town.clerk, operator="self")
    with pytest.raises(NeedsSecondPerson):
        order_cards(clerk, uuid4(), order_no="B2", rows=[replace(ROW, card_no="990100002")])
    with pytest.raises(NeedsSecondPerson):
        replace(town, clerk=clerk).credit()


def test_rights_come_from_roles_and_employment(town):
    card_no = town.active_card()
    with pytest.raises(NotAllowed, match="no right to activate"):
        activate(town.cashier, uuid4(), card_no=card_no, document=shown())
    for stranger in (Actor("nobody", "ICBC-1"), Actor("teller", "ABC-1")):
        with pytest.raises(NotAllowed, match="does not work at"):
            activate(stranger, uuid4(), card_no=card_no, document=shown())
    Operator.objects.filter(code="teller").update(active=False)
    with pytest.raises(NotAllowed):
        activate(town.teller, uuid4(), card_no=card_no, document=shown())


def test_every_single_step_asks_for_its_own_right(town):
    card = Card.objects.get(card_no=town.active_card())
    operator = Operator.objects.get(code="hotline")
    case = Case(operator, operator.institution, uuid4(), timezone.now(), {})
    with pytest.raises(NotAllowed, match="no right to lock"):
        case.step(card, APPLICATION, "lock", case.circumstances(card), reason=LockReason.OTHER)
    case.step(card, APPLICATION, "report_temporary_loss", case.circumstances(card))


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        (replace(ROW, card_no="990100002", name="别人"), NotEligible),
        (replace(ROW, card_no="990100002"), NotEligible),
        (replace(ROW, cert_no=OTHER_CERT_NO), DuplicateRequest),
        (replace(ROW, card_no="990100002", cert_no=OTHER_CERT_NO, bank_code="00000"), NotEligible),
        (replace(ROW, card_no="990100002", cert_no=OTHER_CERT_NO, valid_until=date(2036, 1, 6)), NotEligible),
        (replace(ROW, card_no="990100002", cert_no=OTHER_CERT_NO, valid_until=ISSUED), NotEligible),
    ],
    ids=["another name", "has a card", "number used", "foreign bank", "too long", "no time"],
)
def test_one_bad_row_refuses_the_whole_order(town, row, refusal):
    order_cards(town.clerk, uuid4(), order_no="B1", rows=[ROW])
    good = replace(ROW, card_no="990100009", cert_no="99010119700101001X", name="测试人乙")
    with pytest.raises(refusal, match="row 2"):
        order_cards(town.clerk, uuid4(), order_no="B2", rows=[good, row])
    assert Card.objects.count() == 1
    assert CERT_NO not in str(repr(ROW))


def test_an_order_number_is_used_once_and_an_order_has_rows(town):
    order_cards(town.clerk, uuid4(), order_no="B1", rows=[ROW])
    with pytest.raises(DuplicateRequest, match="order B1"):
        order_cards(town.clerk, uuid4(), order_no="B1", rows=[ROW])
    with pytest.raises(NotEligible, match="no rows"):
        order_cards(town.clerk, uuid4(), order_no="B2", rows=[])


OF_THE_SECOND = return_row("990100002", OTHER_CERT_NO, "测试人乙")._asdict()
OF_THE_SECOND = {name: OF_THE_SECOND[name] for name in ("card_no", "cert_no", "name")}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"card_no": "990109999"}, "never ordered"),
        ({"cert_no": CERT_NO}, "another person"),
        ({"bank_card_no": "6229999900000099"}, "another bank card"),
        ({"card_ident_code": "AA"}, "has 1 bytes, not 16"),
        ({"card_ident_code": "chip"}, "is not hex"),
        ({"card_ident_code": return_row("990100001").card_ident_code}, "is not of the chip"),
        ({"atr": return_row("990100001").atr}, "is not of the chip"),
        ({"atr": "00"}, "not of the length that it announces"),
        ({"atr": return_row("990100002").atr + "00"}, "not of the length that it announces"),
        (return_row("990100001")._asdict() | OF_THE_SECOND, "identification code .* belongs to another card"),
        (
            {
                "atr": return_row("990100001").atr,
                "card_ident_code": return_row("990100001").card_ident_code[:-2] + "FF",
            },
            "ATR .* belongs to another card",
        ),
    ],
)
def test_a_return_file_has_to_match_the_order(town, change, complaint):
    town.order()
    town.receive("990100001")
    town.order("990100002", OTHER_CERT_NO, "测试人乙")
    row = return_row("990100002", OTHER_CERT_NO, "测试人乙")._replace(**change)
    with pytest.raises((NotEligible, DuplicateRequest), match=complaint):
        receive_stock(town.teller, uuid4(), rows=[row])
    assert Card.objects.get(card_no="990100002").production == Production.ORDERED
    with pytest.raises(NotEligible, match="no rows"):
        receive_stock(town.teller, uuid4(), rows=[])


@pytest.mark.acceptance("S4-26")
@pytest.mark.acceptance("S1-36")
def test_the_pin_is_changed_at_a_designated_site_and_reset_at_an_outlet(town):
    card_no = town.active_card()
    assert record_pin_change(town.cashier, uuid4(), card_no=card_no).pin == Pin.SET
    assert record_pin_blocked(town.pharmacist, uuid4(), card_no=card_no).pin == Pin.BLOCKED
    with pytest.raises(IllegalTransition, match="the PIN is blocked"):
        record_pin_change(town.cashier, uuid4(), card_no=card_no)
    with pytest.raises(NotEligible, match="original"):
        reset_pin(town.teller, uuid4(), card_no=card_no, document=copied())
    assert reset_pin(town.teller, uuid4(), card_no=card_no, document=shown()).pin == Pin.SET


def test_a_pin_can_be_reset_so_often_and_no_more(town):
    card_no = town.active_card()
    for _ in range(10):
        reset_pin(town.teller, uuid4(), card_no=card_no, document=shown())
    with pytest.raises(NotEligible, match="reset 10 times"):
        reset_pin(town.teller, uuid4(), card_no=card_no, document=shown())


def test_lock_unlock_cancel(town):
    card_no = town.active_card()
    locked = lock(town.clerk, uuid4(), card_no=card_no, reason=LockReason.SUSPECTED_MISUSE)
    assert locked.application == Application.LOCKED
    with pytest.raises(IllegalTransition, match="locked"):
        record_pin_change(town.cashier, uuid4(), card_no=card_no)
    assert unlock(town.clerk, uuid4(), card_no=card_no).application == Application.NORMAL
    ended = cancel(town.clerk, uuid4(), card_no=card_no, reason=CancelReason.DEATH)
    assert (ended.application, ended.bank_function) == (Application.CANCELLED, BankFunction.CLOSED)
    assert CardEvent.objects.get(event="cancel").reason == CancelReason.DEATH


def test_an_uncollected_card_is_sealed_and_never_handed_over(town):
    card_no = town.order()
    town.receive(card_no)
    assert seal(town.clerk, uuid4(), card_no=card_no).application == Application.SEALED
    with pytest.raises(IllegalTransition, match="not collected in time"):
        town.hand_over(card_no)


def test_the_system_is_founded_once(town):
    with pytest.raises(DuplicateRequest, match="founded already"):
        found(uuid4(), region_code="990199", region=None, authority="X", administrator="Y")


def test_set_up_refuses_what_it_has_and_what_is_not_there(town):
    with pytest.raises(DuplicateRequest):
        register_institution(town.administrator, uuid4(), code="SSB", name="x", kind=InstitutionKind.CLINIC)
    with pytest.raises(NotFound):
        register_operator(town.administrator, uuid4(), code="x", name="x", institution="x", roles=[])
    assert Institution.objects.filter(code="ICBC-1", bank_code=BANK).exists()
