"""A card is lost, found again, or replaced; and what is left on it is not lost."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from cms.town import AT_TILL, TERMINAL, copied, return_row, shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.guards import Verdict
from kaguan.cms.rules.lifecycle import Application, BankFunction
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.refusals import (
    IllegalTransition,
    NotEligible,
    RuleBroken,
    RuleTableError,
)
from kaguan.cms.services.issue import activate, hand_over
from kaguan.cms.services.load import allow_carry_over, begin_carry_over, begin_load, cancel_load, confirm_load
from kaguan.cms.services.loss import (
    confirm_blocked,
    lapse_loss,
    release_loss,
    report_formal_loss,
    report_temporary_loss,
)
from kaguan.cms.services.orders import NewCard, order_replacement
from kaguan.cms.services.pin import record_pin_change
from kaguan.cms.services.purchase import authorise_purchase
from kaguan.cms.services.set_up import set_region
from kaguan.cms.services.stock import receive_stock

OLD, NEW = "990100001", "990100002"
DRUG = [Item(ItemCategory.DRUG, 100)]


@pytest.fixture
def card(town):
    """An active card with 50 yuan in the purse."""
    town.active_card(OLD)
    town.credit()
    town.load(OLD, 5_000)
    return OLD


def every_use(town, card_no):
    """Everything that a lost card could still be tried for."""
    yield lambda: begin_load(
        town.teller, uuid4(), card_no=card_no, amount_fen=1, purse_before_fen=0, online_sequence=1, **TERMINAL
    )
    yield lambda: authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card_no, items=DRUG)
    yield lambda: record_pin_change(town.cashier, uuid4(), card_no=card_no)
    yield lambda: activate(town.teller, uuid4(), card_no=card_no, document=shown())
    yield lambda: town.hand_over(card_no)


def replace_card(town, by=None):
    """Leave the lost card replaced by a new one that its holder has in hand."""
    report_formal_loss(town.teller, uuid4(), card_no=OLD, document=shown())
    order_replacement(
        by or town.clerk,
        uuid4(),
        card_no=OLD,
        new=NewCard(NEW, "R1", date(2026, 3, 1), date(2036, 3, 1), "6229999900000002"),
    )
    row = return_row(NEW)._replace(bank_card_no="6229999900000002")
    receive_stock(town.teller, uuid4(), rows=[row])


def test_a_lost_card_is_refused_everywhere_with_its_reason(town, card):
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    for use in every_use(town, card):
        with pytest.raises(IllegalTransition, match="reported lost for the time being"):
            use()
    report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    for use in every_use(town, card):
        with pytest.raises(IllegalTransition, match="formally reported lost"):
            use()


def test_a_found_card_is_released(town, card):
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    assert release_loss(town.hotline, uuid4(), card_no=card).application == Application.NORMAL
    assert authorise_purchase(town.cashier, uuid4(), **AT_TILL, card_no=card, items=DRUG).amount_fen == 100


def test_whether_a_formal_loss_can_be_released_is_up_to_the_region(town, card):
    lost = report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    assert (lost.application, lost.bank_function) == (Application.FORMAL_LOSS, BankFunction.LOST)
    with pytest.raises(NotEligible, match="cannot be released"):
        release_loss(town.teller, uuid4(), card_no=card, document=shown())
    set_region(town.administrator, uuid4(), settings={"formal_loss_can_be_released": True})
    with pytest.raises(NotEligible, match="original"):
        release_loss(town.teller, uuid4(), card_no=card, document=copied())
    found = release_loss(town.teller, uuid4(), card_no=card, document=shown())
    assert (found.application, found.bank_function) == (Application.NORMAL, BankFunction.ACTIVE)
    with pytest.raises(RuleTableError, match="unknown region setting"):
        set_region(town.administrator, uuid4(), settings={"formal_loss": 1})


def test_a_formal_loss_at_the_authority_leaves_the_bank_function_to_the_bank(town, card):
    lost = report_formal_loss(town.clerk, uuid4(), card_no=card, document=shown())
    assert (lost.application, lost.bank_function) == (Application.FORMAL_LOSS, BankFunction.ACTIVE)


def test_a_temporary_loss_lapses_after_the_regions_days(town, card):
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    with pytest.raises(NotEligible, match="stands for 10 days"):
        lapse_loss(town.hotline, uuid4(), card_no=card)
    CardEvent.objects.create(
        card_id=card,
        at=timezone.now() - timedelta(days=10),
        axis="application",
        event="report_temporary_loss",
        from_state="1",
        to_state="4",
        operator="hotline",
        institution="SSB",
        request_id=uuid4(),
    )
    assert lapse_loss(town.hotline, uuid4(), card_no=card).application == Application.NORMAL


def test_a_blocked_chip_is_not_released(town, card):
    set_region(town.administrator, uuid4(), settings={"formal_loss_can_be_released": True})
    with pytest.raises(NotEligible, match="formally lost or cancelled"):
        confirm_blocked(town.teller, uuid4(), card_no=card, how="reader")
    report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    confirm_blocked(town.teller, uuid4(), card_no=card, how="reader")
    with pytest.raises(NotEligible, match="blocked meanwhile"):
        release_loss(town.teller, uuid4(), card_no=card, document=shown())


@pytest.mark.acceptance("S0-24")
def test_a_lost_card_is_replaced_and_its_purse_carried_over(town, card):
    replace_card(town)
    old = Card.objects.get(card_no=OLD)
    assert (old.application, old.bank_function) == (Application.CANCELLED, BankFunction.CLOSED)
    assert old.replaced_by_id == NEW
    for use in every_use(town, OLD):
        with pytest.raises(RuleBroken, match="cancelled"):
            use()
    town.hand_over(NEW)
    activate(town.teller, uuid4(), card_no=NEW, document=shown())
    asked = {"card_no": NEW, "amount_fen": 5_000, "purse_before_fen": 0, "online_sequence": 0, **TERMINAL}
    with pytest.raises(NotEligible, match="is not blocked"):
        begin_carry_over(town.teller, uuid4(), **asked)
    with pytest.raises(NotEligible, match="is not blocked"):
        allow_carry_over(town.teller, uuid4(), card_no=NEW)
    confirm_blocked(town.clerk, uuid4(), card_no=OLD, how="terminal blacklist")
    assert allow_carry_over(town.teller, uuid4(), card_no=NEW) == 5_000
    first, second = uuid4(), uuid4()
    assert begin_carry_over(town.teller, first, **asked).amount_fen == 5_000
    cancel_load(town.teller, first, why="card removed")
    assert (balance(purse_account(OLD)), balance(purse_account(NEW))) == (5_000, 0)
    begin_carry_over(town.teller, second, **asked)
    confirm_load(town.teller, second, tac="A1B2C3D4")
    assert (balance(purse_account(OLD)), balance(purse_account(NEW))) == (0, 5_000)
    with pytest.raises(NotEligible, match=r"^0 fen can be carried over, not 5000"):
        begin_carry_over(town.teller, uuid4(), **{**asked, "purse_before_fen": 5_000})
    with pytest.raises(NotEligible, match="nothing that can be carried over"):
        allow_carry_over(town.teller, uuid4(), card_no=NEW)
    verify_books()


def test_only_a_formally_lost_card_is_replaced(town, card):
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    with pytest.raises(IllegalTransition, match="replace refused"):
        order_replacement(town.clerk, uuid4(), card_no=card, new=NewCard(NEW, "R1", date(2026, 3, 1), date(2036, 3, 1)))
    assert Card.objects.count() == 1


def test_the_same_rule_of_two_holds_for_replacements(town, card):
    replace_card(town, by=town.teller)
    with pytest.raises(NeedsSecondPerson):
        town.hand_over(NEW)
    hand_over(town.second_teller, uuid4(), card_no=NEW, document=shown(), verdict=Verdict.SAME_PERSON)


def test_the_new_card_waits_until_the_old_one_is_closed(town, card):
    replace_card(town)
    town.hand_over(NEW)
    Card.objects.filter(card_no=OLD).update(application=Application.FORMAL_LOSS)
    with pytest.raises(NotEligible, match="not cancelled yet"):
        activate(town.teller, uuid4(), card_no=NEW, document=shown())


def test_a_replacement_of_a_replacement_brings_what_any_of_its_forerunners_still_held(town, card):
    third = "990100003"
    replace_card(town)
    town.hand_over(NEW)
    activate(town.teller, uuid4(), card_no=NEW, document=shown())
    town.load(NEW, 700)
    report_formal_loss(town.teller, uuid4(), card_no=NEW, document=shown())
    order_replacement(town.clerk, uuid4(), card_no=NEW, new=NewCard(third, "R2", date(2026, 4, 1), date(2036, 4, 1)))
    town.receive(third)
    town.hand_over(third)
    activate(town.teller, uuid4(), card_no=third, document=shown())
    with pytest.raises(NotEligible, match=f"chip of card {NEW} is not blocked"):
        allow_carry_over(town.teller, uuid4(), card_no=third)
    expected_fen = 0
    for blocked, held_fen in ((OLD, 5_000), (NEW, 700)):
        confirm_blocked(town.clerk, uuid4(), card_no=blocked, how="terminal blacklist")
        assert allow_carry_over(town.teller, uuid4(), card_no=third) == held_fen
        asked = {"amount_fen": held_fen, "purse_before_fen": expected_fen, "online_sequence": 0, **TERMINAL}
        load_id = uuid4()
        begin_carry_over(town.teller, load_id, card_no=third, **asked)
        confirm_load(town.teller, load_id, tac="A1B2C3D4")
        expected_fen += held_fen
        assert balance(purse_account(third)) == expected_fen
    assert balance(purse_account(OLD)) == balance(purse_account(NEW)) == 0
    verify_books()


def test_two_dead_forerunners_are_emptied_in_one_carry_over(town, card):
    replace_card(town)
    Card.objects.filter(card_no=NEW).update(application=Application.NORMAL)
    town.load(NEW, 700)
    report_formal_loss(town.teller, uuid4(), card_no=NEW, document=shown())
    order_replacement(
        town.clerk, uuid4(), card_no=NEW, new=NewCard("990100003", "R2", date(2026, 4, 1), date(2036, 4, 1))
    )
    Card.objects.filter(card_no="990100003").update(application=Application.NORMAL)
    for blocked in (OLD, NEW):
        confirm_blocked(town.clerk, uuid4(), card_no=blocked, how="terminal blacklist")
    asked = {"card_no": "990100003", "amount_fen": 5_700, "purse_before_fen": 0, "online_sequence": 0, **TERMINAL}
    load_id = uuid4()
    begin_carry_over(town.teller, load_id, **asked)
    cancel_load(town.teller, load_id, why="card removed")
    assert (balance(purse_account(OLD)), balance(purse_account(NEW))) == (5_000, 700)
    load_id = uuid4()
    begin_carry_over(town.teller, load_id, **asked)
    confirm_load(town.teller, load_id, tac="A1B2C3D4")
    assert balance(purse_account("990100003")) == 5_700
    verify_books()


def test_a_card_that_replaces_none_has_nothing_to_carry_over(town, card):
    with pytest.raises(NotEligible, match="replaces no other card"):
        allow_carry_over(town.teller, uuid4(), card_no=card)
