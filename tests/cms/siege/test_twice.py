"""Every use case sent twice at once from two processes: done once, answered twice; with other content, refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from uuid import UUID, uuid4

import pytest

from cms.asked import CASES, NAMES, books, effects, wish_of
from cms.siege.processes import side_by_side
from cms.siege.rush import story_of
from cms.town import AT_OTHER_TILL, AT_TILL, TERMINAL, shown
from kaguan.cms import audit
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card
from kaguan.cms.rules.lifecycle import CancelReason, ExchangeReason, LockReason
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.refusals import IdempotencyConflict
from kaguan.cms.services.load import begin_load
from kaguan.cms.services.lock import cancel, lock
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss
from kaguan.cms.services.orders import NewCard, order_exchange
from kaguan.cms.services.purchase import authorise_purchase

pytestmark = pytest.mark.slow

REQUEST = UUID(int=990101)
CARD = "990100001"
BILL = [Item(ItemCategory.DRUG, 600)]
LOAD = {"card_no": CARD, "amount_fen": 900, "purse_before_fen": 1_000, "online_sequence": 1}
"""More than half of what there is: it cannot be done twice."""


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_sent_twice_at_once_it_is_done_once(lasting_town, case):
    wish = wish_of(case, lasting_town, REQUEST)
    receipts_before, done_before = effects(REQUEST)
    first, second = side_by_side(wish, wish)
    assert first.refusal is None, first.words
    assert first == second, second.words
    assert effects(REQUEST) == (receipts_before + 1, done_before + 1)
    after = books()
    assert wish() == first.answer
    assert books() == after
    with pytest.raises(IdempotencyConflict):
        wish(surprise=1)
    audit.verify_chain()
    verify_books()


SUCCESSOR = NewCard("990100002", "X1", date(2026, 3, 1), date(2036, 3, 1))
CONTRARY = {
    "lock and cancel": [
        lambda town: lock(town.clerk, uuid4(), card_no=CARD, reason=LockReason.OTHER),
        lambda town: cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.OTHER),
    ],
    "loss and lock": [
        lambda town: report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown()),
        lambda town: lock(town.clerk, uuid4(), card_no=CARD, reason=LockReason.OTHER),
    ],
    "loss, and its release": [
        lambda town: report_temporary_loss(town.hotline, uuid4(), card_no=CARD),
        lambda town: release_loss(town.hotline, uuid4(), card_no=CARD),
    ],
    "two exchanges": [
        lambda town: order_exchange(town.clerk, uuid4(), card_no=CARD, new=SUCCESSOR, reason=ExchangeReason.DAMAGE),
        lambda town: order_exchange(
            town.clerk, uuid4(), card_no=CARD, new=replace(SUCCESSOR, card_no="990100003", order_no="X2"),
            reason=ExchangeReason.DAMAGE,
        ),
    ],
    "a purse spent at two tills": [
        lambda town: authorise_purchase(town.cashier, uuid4(), card_no=CARD, items=BILL, **AT_TILL),
        lambda town: authorise_purchase(town.pharmacist, uuid4(), card_no=CARD, items=BILL, **AT_OTHER_TILL),
    ],
    "an account loaded at two banks": [
        lambda town: begin_load(town.teller, uuid4(), **LOAD, **TERMINAL),
        lambda town: begin_load(town.second_teller, uuid4(), **LOAD, **TERMINAL),
    ],
}  # fmt: skip


@pytest.mark.parametrize("acts", CONTRARY.values(), ids=CONTRARY)
def test_two_operators_do_the_contrary_and_one_story_is_left(lasting_town, acts):
    town = lasting_town
    town.active_card(CARD)
    town.credit(base_fen=100_000)
    town.load(CARD, 1_000)
    before = AuditEntry.objects.count()
    ended = side_by_side(*(lambda act=act: act(town) for act in acts))
    done = [one for one in ended if one.refusal is None]
    assert done
    assert not any(one.killed for one in ended)
    assert AuditEntry.objects.count() == before + len(acts)
    *_, (_, last) = story_of(CARD)
    assert last["application"] == Card.objects.get(pk=CARD).application
    assert Card.objects.filter(holder=Card.objects.get(pk=CARD).holder).count() <= 2
    audit.verify_chain()
    verify_books()
