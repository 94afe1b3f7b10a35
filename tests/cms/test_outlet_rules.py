"""What the counter asks before it touches chip or PIN: was it asked before, is it an amount, may it be done."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from cms.counter import CARD, FIRST_PIN, WRONG_PIN, Counter, drugs
from cms.town import shown
from kaguan.cms.models import AuditEntry, Card, CardEvent
from kaguan.cms.rules.lifecycle import Pin as PinState
from kaguan.cms.rules.refusals import IdempotencyConflict, IllegalTransition, LimitExceeded
from kaguan.cms.services.loss import report_formal_loss
from kaguan.terminal.refusals import PinBlocked, PinRefused


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def test_what_is_asked_for_twice_is_done_once(counter):
    card, load_id, purchase_id = counter.funded(0), uuid4(), uuid4()
    loaded = counter.outlet.load(card, load_id, 500, FIRST_PIN)
    paid = counter.pharmacy.purchase(card, purchase_id, drugs(100), FIRST_PIN)
    before = card.image
    assert counter.outlet.load(card, load_id, 500, WRONG_PIN) == loaded
    assert counter.pharmacy.purchase(card, purchase_id, drugs(100), WRONG_PIN) == paid
    assert card.image == before
    for conflicting in (
        lambda: counter.outlet.load(card, load_id, 501, FIRST_PIN),
        lambda: counter.outlet.carry_over(card, load_id, FIRST_PIN),
        lambda: counter.pharmacy.purchase(card, load_id, drugs(500), FIRST_PIN),
        lambda: counter.pharmacy.purchase(card, purchase_id, drugs(101), FIRST_PIN),
        lambda: counter.at(counter.town.other_bank_teller).load(card, load_id, 500, FIRST_PIN),
    ):
        with pytest.raises(IdempotencyConflict):
            conflicting()
    assert card.image == before
    assert counter.agrees(card) == 400


@pytest.mark.parametrize("amount_fen", [1.5, 500.0, True, Decimal(5)])
def test_an_amount_is_a_whole_number_of_fen(counter, amount_fen):
    card = counter.funded()
    before = card.image
    with pytest.raises(LimitExceeded, match="whole number of fen"):
        counter.outlet.load(card, uuid4(), amount_fen, FIRST_PIN)
    with pytest.raises(LimitExceeded, match="whole number of fen"):
        counter.pharmacy.purchase(card, uuid4(), drugs(amount_fen), FIRST_PIN)
    assert card.image == before
    assert counter.agrees(card) == 10_000


@pytest.mark.parametrize("kind", ["load", "purchase"])
def test_no_pin_is_tried_before_the_rules_agree(counter, kind):
    card = counter.funded()
    before = card.image

    def ask(amount_fen):
        if kind == "load":
            counter.outlet.load(card, uuid4(), amount_fen, WRONG_PIN)
        else:
            counter.pharmacy.purchase(card, uuid4(), drugs(amount_fen), WRONG_PIN)

    with pytest.raises(LimitExceeded):
        ask(50_001)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    for _ in range(4):
        with pytest.raises(IllegalTransition, match="lost"):
            ask(100)
    assert card.image == before
    assert AuditEntry.objects.latest("sequence").outcome == "IllegalTransition"


def test_a_pin_blocked_on_a_lost_card_is_on_the_books(counter):
    card = counter.active()
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    with pytest.raises(PinBlocked):
        counter.outlet.verify_pin(card, uuid4(), FIRST_PIN)
    assert Card.objects.get(pk=CARD).pin == PinState.BLOCKED
    assert CardEvent.objects.filter(card=CARD, event="block").count() == 1
