"""Two clients at once, on a real database with real locks."""

from __future__ import annotations

from uuid import uuid4

import pytest

from cms.threads import at_once
from cms.town import AT_OTHER_TILL, AT_TILL, TERMINAL
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import Transfer
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.refusals import InsufficientFunds, RuleBroken
from kaguan.cms.services.load import begin_load, cancel_load, confirm_load
from kaguan.cms.services.purchase import authorise_purchase

pytestmark = pytest.mark.slow

CARD = "990100001"


@pytest.mark.parametrize("attempt", range(5))
def test_of_confirming_and_cancelling_exactly_one_wins(lasting_town, attempt):
    town = lasting_town
    town.active_card()
    town.credit()
    load_id = uuid4()
    begin_load(town.teller, load_id, card_no=CARD, amount_fen=5_000, purse_before_fen=0, online_sequence=0, **TERMINAL)
    confirmed, cancelled = at_once(
        lambda: confirm_load(town.teller, load_id, tac="A1B2C3D4"),
        lambda: cancel_load(town.teller, load_id, why="impatient"),
    )
    assert isinstance(confirmed, RuleBroken) != isinstance(cancelled, RuleBroken)
    assert Transfer.objects.filter(resolves=load_id).count() == 1
    assert balance(purse_account(CARD)) == (0 if isinstance(confirmed, RuleBroken) else 5_000)
    verify_books()


def test_a_purse_is_not_spent_twice(lasting_town):
    town = lasting_town
    town.active_card()
    town.credit()
    town.load(CARD, 1_000)
    items = [Item(ItemCategory.DRUG, 600)]
    outcomes = at_once(
        *(
            lambda actor=actor, till=till: authorise_purchase(actor, uuid4(), **till, card_no=CARD, items=items)
            for actor, till in ((town.cashier, AT_TILL), (town.pharmacist, AT_OTHER_TILL))
        )
    )
    assert sum(isinstance(outcome, InsufficientFunds) for outcome in outcomes) == 1
    assert balance(purse_account(CARD)) == 400
    verify_books()


def test_one_request_sent_twice_at_once_is_done_once(lasting_town):
    town = lasting_town
    town.active_card()
    town.credit()
    load_id = uuid4()

    def begin():
        return begin_load(
            town.teller, load_id, card_no=CARD, amount_fen=5_000, purse_before_fen=0, online_sequence=0, **TERMINAL
        )

    first, second = at_once(begin, begin)
    assert first == second
    assert Transfer.objects.filter(kind="load").count() == 1
