"""Three ways of a wallet when a card is replaced: it was read, it shows another balance, or it cannot be read."""

from __future__ import annotations

from uuid import uuid4

import pytest

from card.cards import PROFILE
from cms.counter import CARD, FIRST_PIN, SUCCESSOR, Counter, behind_the_rules, drugs, new_card, vault
from cms.test_outlet_tears import START_FEN, lost_and_blocked, replaced
from cms.timing import days_ago
from cms.town import EXPIRES, ISSUED, shown
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost
from kaguan.card_os.image import Lifecycle
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.models import Card, ChipCase
from kaguan.cms.rules.chip_state import Facet, Remedy
from kaguan.cms.rules.lifecycle import ExchangeReason, LockReason
from kaguan.cms.rules.refusals import DuplicateRequest, NeedsReconciliation, NotEligible
from kaguan.cms.services.approvals.asking import ask_settlement
from kaguan.cms.services.approvals.deciding import approve
from kaguan.cms.services.chip.unreadable import register_unreadable
from kaguan.cms.services.issue import activate
from kaguan.cms.services.loss import report_formal_loss
from kaguan.cms.services.orders import NewCard, order_exchange
from kaguan.cms.services.set_up import set_region
from kaguan.personalization.specimen import REGION
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.blocking import block_application
from kaguan.terminal.refusals import CardBlocked
from kaguan.terminal.script import converse

pytestmark = pytest.mark.slow


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def exchanged(counter) -> None:
    """The damaged card makes room for its successor."""
    new = NewCard(SUCCESSOR, "X1", ISSUED, EXPIRES)
    order_exchange(counter.town.clerk, uuid4(), card_no=CARD, reason=ExchangeReason.DAMAGE, new=new)


def settle(counter, remedy) -> None:
    """Two people at the authority settle the case about the old card's purse."""
    (case,) = ChipCase.objects.filter(card=CARD, facet=Facet.PURSE, state="open")
    approval = uuid4()
    ask_settlement(counter.town.clerk, approval, case_id=case.pk, remedy=remedy, reason="terminal journal")
    approve(counter.town.supervisor, uuid4(), approval_id=approval)


def test_a_card_that_was_read_is_dead_and_its_balance_goes_over(counter):
    old = counter.funded(START_FEN)
    exchanged(counter)
    counter.outlet.block_card(old, uuid4())
    assert old.image.lifecycle is Lifecycle.TERMINATED
    new = counter.active(SUCCESSOR)
    assert counter.outlet.carry_over(new, uuid4(), FIRST_PIN).amount_fen == START_FEN
    assert counter.agrees(new, SUCCESSOR) == START_FEN
    assert balance(purse_account(CARD)) == 0
    with pytest.raises(CardBlocked):
        counter.outlet.read(old)


def test_the_old_card_is_dead_before_the_new_one_lives(counter):
    counter.funded(START_FEN)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    replaced(counter)
    new = counter.handed_over(SUCCESSOR)
    Card.objects.filter(pk=CARD).update(application="1")  # as if somebody had let it live on
    with pytest.raises(NotEligible, match="not cancelled yet"):
        counter.outlet.activate(new, uuid4(), shown())
    with pytest.raises(NotEligible, match="not cancelled yet"):
        activate(counter.town.teller, uuid4(), card_no=SUCCESSOR, document=shown())


@pytest.mark.parametrize("kind", ["load", "purchase"])
@pytest.mark.parametrize("remedy", Remedy)
def test_a_card_that_shows_another_balance_waits_for_two_people(counter, kind, remedy):
    old = counter.funded(START_FEN)
    behind_the_rules(counter, kind, old, 700, booked=False)
    exchanged(counter)
    counter.outlet.block_card(old, uuid4())
    new = counter.active(SUCCESSOR)
    with pytest.raises(NeedsReconciliation, match="two people at the authority settle it first"):
        counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    settle(counter, remedy)
    difference_fen = {"load": 700, "purchase": -700}[kind] if remedy is Remedy.BOOKS_FOLLOW else 0
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN + difference_fen
    assert (balance(purse_account(CARD)), balance("SUSPENSE")) == (0, -difference_fen)


def test_a_card_that_nobody_can_read_waits_for_the_days_and_pays_what_the_books_say(counter):
    counter.funded(START_FEN)
    with pytest.raises(NotEligible, match="still in use"):
        register_unreadable(counter.town.teller, uuid4(), card_no=CARD, why="broken in two")
    exchanged(counter)
    new = counter.active(SUCCESSOR)
    with pytest.raises(NotEligible, match="is not blocked"):
        counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    with pytest.raises(NotEligible, match="how the card is damaged"):
        register_unreadable(counter.town.teller, uuid4(), card_no=CARD, why=" ")
    register_unreadable(counter.town.teller, uuid4(), card_no=CARD, why="broken in two")
    with pytest.raises(DuplicateRequest):
        register_unreadable(counter.town.teller, uuid4(), card_no=CARD, why="broken in two")
    days_ago(CARD, "register_unreadable", 14)
    with pytest.raises(NotEligible, match="15 days"):
        counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    days_ago(CARD, "register_unreadable", 15)
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN


def test_a_card_that_was_read_and_blocked_is_not_unreadable(counter):
    lost_and_blocked(counter)
    with pytest.raises(NotEligible, match="can be carried over now"):
        register_unreadable(counter.town.teller, uuid4(), card_no=CARD, why="bent")


@pytest.mark.parametrize(
    ("wait", "blocked", "days", "free"),
    [
        ("either", True, 0, True),
        ("either", False, 14, False),
        ("either", False, 15, True),
        ("blocked", True, 0, True),
        ("blocked", False, 15, False),
        ("days", True, 14, False),
        ("days", True, 15, True),
        ("days", False, 15, True),
    ],
)
def test_what_a_lost_purse_waits_for_is_the_regions_choice(counter, wait, blocked, days, free):
    set_region(counter.town.administrator, uuid4(), settings={"purse_wait": wait})
    old = counter.funded(START_FEN)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    if blocked:
        counter.outlet.block_card(old, uuid4())
    replaced(counter)
    days_ago(CARD, "report_formal_loss", days)
    new = counter.active(SUCCESSOR)
    if not free:
        with pytest.raises(NotEligible):
            counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
        assert balance(purse_account(CARD)) == START_FEN
        return
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN


def test_a_locked_chip_tells_what_it_holds_before_it_dies(counter):
    old = counter.funded(START_FEN)
    behind_the_rules(counter, "purchase", old, 700, booked=False)
    counter.at(counter.town.clerk).lock_card(old, uuid4(), LockReason.OTHER)
    Card.objects.filter(pk=CARD).update(application="9")
    ChipCase.objects.filter(facet=Facet.PURSE).delete()
    counter.outlet.block_card(old, uuid4())
    assert old.image.lifecycle is Lifecycle.TERMINATED
    (case,) = ChipCase.objects.filter(card=CARD, state="open")
    assert (case.facet, case.more_fen) == (Facet.PURSE, -700)


def test_only_what_the_books_have_settled_is_carried_over(counter):
    old = counter.funded(START_FEN)
    counter.pharmacy.purchase(old, uuid4(), drugs(400), FIRST_PIN)
    exchanged(counter)
    counter.outlet.block_card(old, uuid4())
    new = counter.active(SUCCESSOR)
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN - 400


def test_a_chip_that_keeps_its_balance_to_itself_waits_for_two_people(counter):
    old = counter.funded(START_FEN)
    old.reset()
    keys = CardKeys(vault(), PROFILE, REGION, old.atr)
    converse(old, block_application(keys, for_ever=True))
    exchanged(counter)
    counter.outlet.block_card(old, uuid4())
    assert old.image.lifecycle is Lifecycle.TERMINATED
    new = counter.active(SUCCESSOR)
    with pytest.raises(NeedsReconciliation, match="does not tell"):
        counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    settle(counter, Remedy.EXPLAINED)
    counter.outlet.carry_over(new, uuid4(), FIRST_PIN)
    assert counter.agrees(new, SUCCESSOR) == START_FEN


class Swapped(Layer):
    """A reader in which another card lies after the next reset but one."""

    def __init__(self, link, other):
        super().__init__(link)
        self.other, self.resets = other, 0

    def reset(self):
        self.resets += 1
        if self.resets == 2:
            self.link = self.other
        return self.link.reset()


def test_another_card_in_the_reader_is_not_the_one_that_is_blocked(counter):
    old, other = counter.funded(START_FEN), new_card(SUCCESSOR)
    exchanged(counter)
    before = old.image, other.image
    with pytest.raises(CardLost):
        counter.outlet.block_card(Swapped(old, other), uuid4())
    assert (old.image, other.image) == before
    assert Card.objects.get(pk=CARD).chip_blocked_at is None
    counter.outlet.block_card(old, uuid4())
    assert old.image.lifecycle is Lifecycle.TERMINATED
