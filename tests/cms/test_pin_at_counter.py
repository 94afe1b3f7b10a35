"""The PIN at counters and terminals: where it is asked for, changed, blocked, given back, and void for good."""

from __future__ import annotations

from uuid import uuid4

import pytest

from card.cards import PROFILE
from cms.chip_steps import with_blocked_pin
from cms.counter import CARD, FIRST_PIN, NEW_PIN, WRONG_PIN, Counter, drugs
from cms.evidence import hospital
from cms.test_outlet import tries_left
from cms.town import copied, shown
from kaguan.card_os.profile.rules import FREE
from kaguan.cms.models import Card, Institution
from kaguan.cms.rules.activation import Visit
from kaguan.cms.rules.lifecycle import Pin as PinState
from kaguan.cms.rules.refusals import AlreadyResolved, IllegalTransition, NotEligible
from kaguan.cms.services.set_up import blacklist_institution, set_region
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.refusals import NotAuthorised, PinBlocked, PinRefused

pytestmark = pytest.mark.slow


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def decided(counter, **settings) -> None:
    """The region has other settings from today on."""
    set_region(counter.town.administrator, uuid4(), settings=settings)


def pin_state() -> str:
    """What the books say of the PIN."""
    return Card.objects.get(pk=CARD).pin


def spend_tries(counter, card, tries) -> None:
    """So many wrong PINs, one after the other."""
    for _ in range(tries):
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)


@pytest.mark.acceptance("S4-26")
def test_the_pin_is_changed_at_designated_units_alone(counter):
    card = counter.active()
    before = card.image
    blacklist_institution(counter.town.administrator, uuid4(), code="PHARMACY-1", breach="x")
    with pytest.raises(NotEligible, match="blacklist"):
        counter.pharmacy.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    Institution.objects.filter(pk="CLINIC-1").update(designated=False)
    with pytest.raises(NotEligible, match="not a designated"):
        counter.at(counter.town.cashier).change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    assert card.image == before
    Institution.objects.filter(pk="CLINIC-1").update(designated=True)
    assert counter.at(counter.town.cashier).change_pin(card, uuid4(), FIRST_PIN, NEW_PIN).pin == PinState.SET


def test_a_change_that_the_card_refused_is_asked_for_anew(counter):
    card, asked = counter.active(), uuid4()
    with pytest.raises(PinRefused):
        counter.outlet.change_pin(card, asked, WRONG_PIN, NEW_PIN)
    with pytest.raises(AlreadyResolved, match="ask under a new id"):
        counter.outlet.change_pin(card, asked, FIRST_PIN, NEW_PIN)
    assert (tries_left(card), pin_state()) == (2, PinState.INITIAL)
    counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    assert (tries_left(card), pin_state()) == (3, PinState.SET)


def test_unblocking_gives_the_tries_back_and_leaves_the_pin(counter):
    card = with_blocked_pin(counter)
    with pytest.raises(NotEligible, match="original"):
        counter.outlet.restore_pin(card, uuid4(), copied())
    assert tries_left(card) == 0
    assert counter.outlet.restore_pin(card, uuid4(), shown()).pin == PinState.INITIAL  # nobody has chosen one
    counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    spend_tries(counter, card, 3)
    assert counter.outlet.restore_pin(card, uuid4(), shown()).pin == PinState.SET
    counter.outlet.verify_pin(card, uuid4(), NEW_PIN)
    with pytest.raises(IllegalTransition):
        counter.outlet.restore_pin(card, uuid4(), shown())


@pytest.mark.parametrize("way", ["reset", "restore"])
def test_after_so_many_unlocks_the_pin_is_void_for_good(counter, way):
    decided(counter, pin_resets_allowed=2)
    card = counter.active()

    def unlock():
        if way == "reset":
            return counter.outlet.unblock_pin(card, uuid4(), shown(), FIRST_PIN)
        return counter.outlet.restore_pin(card, uuid4(), shown())

    for _ in range(2):
        spend_tries(counter, card, 3)
        assert pin_state() == PinState.BLOCKED
        unlock()
        assert tries_left(card) == 3
    spend_tries(counter, card, 3)
    assert pin_state() == PinState.VOID
    with pytest.raises(IllegalTransition, match="order a replacement card"):
        unlock()
    assert tries_left(card) == 0
    with pytest.raises(IllegalTransition, match="for good"):
        counter.outlet.load(card, uuid4(), 100, FIRST_PIN)


def test_a_region_may_allow_fewer_wrong_pins_than_the_chip(counter):
    decided(counter, pin_tries=2)
    card = counter.funded()
    spend_tries(counter, card, 1)
    assert pin_state() == PinState.INITIAL
    spend_tries(counter, card, 1)
    assert (pin_state(), tries_left(card)) == (PinState.BLOCKED, 1)
    for attempt in (
        lambda: counter.outlet.verify_pin(card, uuid4(), FIRST_PIN),
        lambda: counter.outlet.load(card, uuid4(), 100, FIRST_PIN),
        lambda: counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN),
        lambda: counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN),
    ):
        with pytest.raises((NotEligible, IllegalTransition)):
            attempt()
    assert tries_left(card) == 1
    counter.outlet.restore_pin(card, uuid4(), shown())
    counter.outlet.load(card, uuid4(), 100, FIRST_PIN)
    assert counter.agrees(card) == 10_100


def test_a_region_that_allows_more_than_the_chip_has_the_chips_word(counter):
    decided(counter, pin_tries=6)
    card = counter.active()
    spend_tries(counter, card, 3)
    assert pin_state() == PinState.BLOCKED
    with pytest.raises(PinBlocked):
        counter.outlet.verify_pin(card, uuid4(), FIRST_PIN)


def test_the_first_pin_is_changed_before_the_card_pays(counter):
    card = counter.funded()
    decided(counter, pin_initial_must_change=True)
    before = card.image
    for attempt in (
        lambda: counter.outlet.load(card, uuid4(), 100, WRONG_PIN),
        lambda: counter.pharmacy.purchase(card, uuid4(), drugs(100), WRONG_PIN),
        lambda: counter.outlet.carry_over(card, uuid4(), WRONG_PIN),
    ):
        with pytest.raises(NotEligible, match="still the first one"):
            attempt()
    assert card.image == before
    counter.pharmacy.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), NEW_PIN)
    assert counter.agrees(card) == 9_900


@pytest.mark.acceptance("S4-24")
@pytest.mark.acceptance("S2-15")
@pytest.mark.parametrize("place", ["pharmacist", "cashier"])
def test_clinics_and_pharmacies_ask_for_the_pin(counter, place):
    card = counter.funded()
    before, desk = card.image, counter.at(getattr(counter.town, place))
    with pytest.raises(NotEligible, match="PIN is asked for"):
        desk.purchase(card, uuid4(), drugs(100), None)
    assert card.image == before
    assert desk.purchase(card, uuid4(), drugs(100), FIRST_PIN).phase == "settled"


@pytest.mark.acceptance("S4-25")
def test_a_visit_to_a_hospital_asks_for_no_pin(counter):
    card = counter.handed_over()
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    visit = counter.at(hospital(counter.town)).register_visit(card, uuid4(), Visit.OUTPATIENT, "R1")
    assert visit.application == "1"


def without_pin_for_purchases(card) -> EmulatedCard:
    """The card of a maker whose wallet pays without a PIN, as far as the chip is asked."""
    ((address, purse),) = card.image.purses.items()
    rules = purse.rules._replace(purchase=FREE)
    return EmulatedCard(card.image._replace(purses={address: purse._replace(rules=rules)}))


@pytest.mark.acceptance("S4-25")
def test_a_hospital_settles_without_a_pin_where_the_chip_lets_it(counter):
    desk = counter.at(hospital(counter.town))
    card = counter.funded()
    with pytest.raises(NotAuthorised):  # this chip wants a PIN for every purchase
        desk.purchase(card, uuid4(), drugs(100), None)
    assert counter.agrees(card) == 10_000
    card = without_pin_for_purchases(card)
    assert desk.purchase(card, uuid4(), drugs(100), None).phase == "settled"
    assert counter.agrees(card) == 9_900
    with pytest.raises(NotEligible, match="PIN is asked for"):
        counter.pharmacy.purchase(card, uuid4(), drugs(100), None)


def test_a_region_may_ask_for_the_pin_at_hospitals_too(counter):
    decided(counter, pin_required_at=["hospital"])
    desk = counter.at(hospital(counter.town))
    card = counter.funded()
    with pytest.raises(NotEligible, match="at a hospital"):
        desk.purchase(card, uuid4(), drugs(100), None)
    desk.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    card = without_pin_for_purchases(card)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), None)
    assert counter.agrees(card) == 9_800


def test_the_profile_tells_how_many_tries_a_chip_has(counter):
    assert counter.outlet.pin_tries == PROFILE.by_name["SSSE"].pins[0].tries == tries_left(counter.active())
