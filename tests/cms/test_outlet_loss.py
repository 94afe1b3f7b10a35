"""A card is lost, blocked in the reader that it turns up in, and replaced; its balance follows."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from cms.counter import CARD, FIRST_PIN, NEW_PIN, SUCCESSOR, Counter, drugs
from cms.test_outlet_tears import START_FEN, lost_and_blocked, replaced
from cms.town import shown
from kaguan.apdu.errors import CardLost
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.models import Card, CardEvent
from kaguan.cms.rules.lifecycle import Application
from kaguan.cms.rules.refusals import IllegalTransition, NotAllowed, NotEligible
from kaguan.cms.services.loss import report_formal_loss, report_temporary_loss
from kaguan.emulator.faults import tearing
from kaguan.terminal.refusals import CardBlocked


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def test_only_a_lost_or_cancelled_card_is_blocked(counter):
    card = counter.funded()
    report_temporary_loss(counter.town.teller, uuid4(), card_no=CARD)
    before = card.image
    with pytest.raises(NotEligible, match="formally lost or cancelled"):
        counter.outlet.block_card(card, uuid4())
    assert card.image == before
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    with pytest.raises(NotAllowed):
        counter.pharmacy.block_card(card, uuid4())
    assert card.image == before
    counter.outlet.block_card(card, uuid4())
    assert Card.objects.get(pk=CARD).chip_blocked_at is not None


def test_a_blocked_card_is_refused_everywhere(counter):
    card = lost_and_blocked(counter)
    for attempt in (
        lambda: counter.outlet.load(card, uuid4(), 100, FIRST_PIN),
        lambda: counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN),
        lambda: counter.outlet.activate(card, uuid4(), shown()),
        lambda: counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN),
        lambda: counter.outlet.verify_pin(card, uuid4(), FIRST_PIN),
        lambda: counter.outlet.unblock_pin(card, uuid4(), shown(), NEW_PIN),
        lambda: counter.outlet.balance_fen(card),
    ):
        with pytest.raises(CardBlocked):
            attempt()


def test_a_torn_block_is_on_the_books_only_when_the_chip_is_dead(counter):
    card = counter.funded()
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    request_id = uuid4()
    for after_writes in count():
        try:
            counter.outlet.block_card(tearing(card, during="CARD BLOCK", after_writes=after_writes), request_id)
        except CardLost:
            assert Card.objects.get(pk=CARD).chip_blocked_at is None
            continue
        except CardBlocked:
            break
    assert after_writes > 0
    with pytest.raises(CardBlocked):
        counter.outlet.balance_fen(card)
    assert_presumed(counter)


class Dummy:
    """A piece of plastic with somebody's ATR, to which every command is blocked."""

    def __init__(self, atr):
        self.atr = atr

    def reset(self):
        return self.atr

    def close(self):
        pass

    def transceive(self, command):
        return bytes.fromhex("6A81")


def assert_presumed(counter):
    """The books presume that the chip is dead, once, and its purse waits all the same."""
    assert CardEvent.objects.filter(card=CARD, event="presume_block").count() == 1
    assert not CardEvent.objects.filter(card=CARD, event="chip_blocked").exists()
    assert Card.objects.get(pk=CARD).chip_blocked_at is None
    replaced(counter)
    card = counter.active(SUCCESSOR)
    with pytest.raises(NotEligible, match="is not blocked"):
        counter.outlet.carry_over(card, uuid4(), FIRST_PIN)


def test_a_dummy_that_says_blocked_proves_nothing(counter):
    card = counter.funded()
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    request_id = uuid4()
    with pytest.raises(CardLost):
        counter.outlet.block_card(tearing(card, during="CARD BLOCK", after_writes=0), request_id)
    for _ in range(2):
        with pytest.raises(CardBlocked):
            counter.outlet.block_card(Dummy(card.atr), request_id)
    assert_presumed(counter)
    assert counter.chip_fen(card) == START_FEN


def test_a_dead_card_that_nobody_ordered_to_be_blocked_is_only_a_dead_card(counter):
    card = counter.funded()
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    counter.outlet.block_card(card, uuid4())
    Card.objects.filter(pk=CARD).update(atr="00")
    with pytest.raises(CardBlocked):
        counter.outlet.block_card(card, uuid4())


def test_the_balance_follows_onto_the_replacement(counter):
    lost_and_blocked(counter)
    assert Card.objects.get(pk=CARD).application == Application.CANCELLED
    card = counter.handed_over(SUCCESSOR)
    with pytest.raises(IllegalTransition, match="not activated"):
        counter.outlet.carry_over(card, uuid4(), FIRST_PIN)
    counter.outlet.activate(card, uuid4(), shown())
    moved = counter.outlet.carry_over(card, uuid4(), FIRST_PIN)
    assert (moved.phase, moved.amount_fen) == ("settled", START_FEN)
    assert balance(purse_account(CARD)) == 0
    assert counter.agrees(card, SUCCESSOR) == START_FEN
    counter.pharmacy.purchase(card, uuid4(), drugs(START_FEN), FIRST_PIN)
    assert counter.agrees(card, SUCCESSOR) == 0


def test_a_chip_that_may_still_pay_keeps_its_balance_in_the_books(counter):
    counter.funded(START_FEN)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    replaced(counter)
    card = counter.active(SUCCESSOR)
    with pytest.raises(NotEligible, match="is not blocked"):
        counter.outlet.carry_over(card, uuid4(), FIRST_PIN)
    assert balance(purse_account(CARD)) == START_FEN
    assert counter.agrees(card, SUCCESSOR) == 0


def test_a_card_that_replaces_none_carries_nothing_over(counter):
    card = counter.funded(START_FEN)
    with pytest.raises(NotEligible, match="replaces no other card"):
        counter.outlet.carry_over(card, uuid4(), FIRST_PIN)
