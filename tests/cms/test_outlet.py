"""The counter with a card on it: whom it believes, activation, the PIN, load and purchase."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from card.cards import PROFILE
from cms.counter import (
    CARD,
    FIRST_PIN,
    MORNING,
    NEW_PIN,
    SUCCESSOR,
    WRONG_PIN,
    Counter,
    account_fen,
    drugs,
    image,
    new_card,
    open_transfers,
)
from cms.town import CERT_NO, REGION, shown
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost
from kaguan.cms.models import AuditEntry, Card, CardEvent, Transfer
from kaguan.cms.outlet import Outlet
from kaguan.cms.queries import holder_record
from kaguan.cms.rules.lifecycle import Application, CancelReason, LockReason
from kaguan.cms.rules.lifecycle import Pin as PinState
from kaguan.cms.rules.purchases import Item, ItemCategory
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    IllegalTransition,
    InsufficientFunds,
    LimitExceeded,
    NotAllowed,
    NotEligible,
    NotFound,
    NotMedical,
)
from kaguan.cms.services.lock import cancel, lock, seal
from kaguan.cms.services.loss import report_formal_loss, report_temporary_loss
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import tearing
from kaguan.personalization.keystore import add_factory_key, key_orders
from kaguan.terminal.conversations.files import select_dedicated
from kaguan.terminal.conversations.pin import pin_tries_left
from kaguan.terminal.refusals import CardRefused, NotGenuine, PinBlocked, PinRefused
from kaguan.terminal.script import converse
from kaguan.vault.sealing import StoreKind
from kaguan.vault.secret import Secret
from kaguan.vault.software import SoftwareVault

pytestmark = pytest.mark.slow


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def tries_left(card: EmulatedCard) -> int:
    """What the chip says of its PIN."""
    card.reset()
    converse(card, select_dedicated(PROFILE.by_name["SSSE"]))
    return converse(card, pin_tries_left())


def other_keys() -> SoftwareVault:
    """The keys of a forger, who knows how everything is made but no master key."""
    vault = SoftwareVault.empty(StoreKind.TEST)
    for order in key_orders(PROFILE):
        vault.import_components(
            order.label, order.usage, order.algorithm, [Secret(bytes(range(16, 32)))], None, levels=order.levels
        )
    add_factory_key(vault)
    return vault


@pytest.mark.acceptance("S2-1")
@pytest.mark.acceptance("S2-2")
@pytest.mark.acceptance("S4-31")
def test_a_card_is_activated_at_its_own_bank(counter):
    card = counter.handed_over()
    assert holder_record(CERT_NO, {REGION})["medical_account"] == "suspended"
    assert counter.outlet.activate(card, uuid4(), shown()).application == Application.NORMAL
    assert holder_record(CERT_NO, {REGION})["medical_account"] == "normal"


@pytest.mark.acceptance("S2-3")
def test_another_bank_refuses_to_activate_and_says_where_to_go(counter):
    card = counter.handed_over()
    with pytest.raises(NotEligible, match="belongs to bank 95588: go to one of that bank's outlets"):
        counter.at(counter.town.other_bank_teller).activate(card, uuid4(), shown())
    assert Card.objects.get(pk=CARD).application == Application.NOT_ENABLED


def test_a_card_that_the_books_do_not_know_is_refused(counter):
    counter.handed_over()
    with pytest.raises(NotFound, match=SUCCESSOR):
        counter.outlet.activate(new_card(SUCCESSOR), uuid4(), shown())


def test_a_card_that_the_books_know_by_another_identification_code_is_refused(counter):
    card = counter.handed_over()
    Card.objects.filter(pk=CARD).update(card_ident_code="0" * 32)
    with pytest.raises(NotEligible, match="another identification code"):
        counter.outlet.activate(card, uuid4(), shown())
    assert Card.objects.get(pk=CARD).application == Application.NOT_ENABLED


def test_a_forged_card_is_unmasked_before_anything_else(counter):
    counter.funded()
    forged = EmulatedCard(image(CARD, other_keys()))
    before, audited = forged.image, AuditEntry.objects.count()
    for attempt in (
        lambda: counter.outlet.load(forged, uuid4(), 100, FIRST_PIN),
        lambda: counter.outlet.change_pin(forged, uuid4(), WRONG_PIN, NEW_PIN),
        lambda: counter.outlet.verify_pin(forged, uuid4(), WRONG_PIN),
        lambda: counter.outlet.unblock_pin(forged, uuid4(), shown(), NEW_PIN),
        lambda: counter.outlet.activate(forged, uuid4(), shown()),
        lambda: counter.outlet.block_card(forged, uuid4()),
        lambda: counter.pharmacy.purchase(forged, uuid4(), drugs(100), FIRST_PIN),
    ):
        with pytest.raises(NotGenuine):
            attempt()
    assert forged.image == before
    assert AuditEntry.objects.count() == audited


@pytest.mark.acceptance("S4-26")
@pytest.mark.acceptance("S1-36")
def test_the_holder_changes_the_pin_at_the_terminal_of_a_designated_site(counter):
    card = counter.active()
    assert counter.pharmacy.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN).pin == PinState.SET
    counter.pharmacy.verify_pin(card, uuid4(), NEW_PIN)
    with pytest.raises(PinRefused):
        counter.pharmacy.verify_pin(card, uuid4(), FIRST_PIN)


def test_the_third_wrong_pin_blocks_it_in_chip_and_books(counter):
    card = counter.active()
    for left in (2, 1, 0):
        with pytest.raises(PinRefused) as refused:
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
        assert refused.value.tries_left == tries_left(card) == left
        assert (Card.objects.get(pk=CARD).pin == PinState.BLOCKED) == (left == 0)
    with pytest.raises(PinBlocked):
        counter.outlet.verify_pin(card, uuid4(), FIRST_PIN)
    with pytest.raises(IllegalTransition, match="reset it at an outlet"):
        counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    assert CardEvent.objects.filter(card=CARD, event="block").count() == 1


def test_a_pin_is_blocked_in_the_books_wherever_the_last_try_was_spent(counter):
    card = counter.funded()
    for _ in range(2):
        with pytest.raises(PinRefused):
            counter.outlet.load(card, uuid4(), 100, WRONG_PIN)
    with pytest.raises(PinRefused):
        counter.pharmacy.purchase(card, uuid4(), drugs(100), WRONG_PIN)
    assert Card.objects.get(pk=CARD).pin == PinState.BLOCKED
    assert counter.agrees(card) == 10_000


def test_an_outlet_unblocks_the_pin_with_the_document_and_a_new_pin(counter):
    card = counter.active()
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    with pytest.raises(NotEligible):
        counter.outlet.unblock_pin(card, uuid4(), shown("990101199003070025"), NEW_PIN)
    assert tries_left(card) == 0
    assert counter.outlet.unblock_pin(card, uuid4(), shown(), NEW_PIN).pin == PinState.SET
    assert tries_left(card) == 3
    counter.outlet.verify_pin(card, uuid4(), NEW_PIN)


def test_the_pin_of_a_lost_card_stays_as_it_is(counter):
    card = counter.active()
    report_temporary_loss(counter.town.teller, uuid4(), card_no=CARD)
    before = card.image
    with pytest.raises(IllegalTransition, match="lost"):
        counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    with pytest.raises(IllegalTransition, match="lost"):
        counter.outlet.unblock_pin(card, uuid4(), shown(), NEW_PIN)
    assert card.image == before


def test_who_may_not_care_for_pins_does_not_reach_the_chip(counter):
    card = counter.active()
    before = card.image
    with pytest.raises(NotAllowed):
        counter.at(counter.town.hotline).change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    assert card.image == before


def test_an_unblocking_that_was_torn_off_goes_on_under_the_same_request(counter):
    card, request_id = counter.active(), uuid4()
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    for after_writes in count():
        torn = tearing(card, during="PIN UNBLOCK", after_writes=after_writes)
        try:
            counter.outlet.unblock_pin(torn, request_id, shown(), NEW_PIN)
        except CardLost:
            continue
        break
    assert after_writes > 0
    counter.outlet.verify_pin(card, uuid4(), NEW_PIN)
    assert CardEvent.objects.filter(card=CARD, event="reset").count() == 1


def test_a_try_spent_by_who_may_not_book_it_is_still_told_as_what_it_is(counter):
    card = counter.active()
    for left in (2, 1, 0):
        with pytest.raises(PinRefused, match=f"{left} tries left"):
            counter.at(counter.town.clerk).verify_pin(card, uuid4(), WRONG_PIN)
    with pytest.raises(PinBlocked):
        counter.outlet.verify_pin(card, uuid4(), FIRST_PIN)
    assert Card.objects.get(pk=CARD).pin == PinState.BLOCKED


@pytest.mark.acceptance("S3-2")
@pytest.mark.acceptance("S3-5")
@pytest.mark.acceptance("S3-6")
def test_money_goes_from_the_account_to_the_chip_and_buys_drugs(counter):
    card = counter.funded(0)
    before = account_fen()
    loaded = counter.outlet.load(card, uuid4(), 12_000, FIRST_PIN)
    assert (loaded.phase, account_fen()) == ("settled", before - 12_000)
    assert counter.agrees(card) == 12_000
    evidence = Transfer.objects.get(kind="load", phase="settled").evidence
    assert len(bytes.fromhex(evidence["tac"])) == 4
    assert counter.pharmacy.purchase(card, uuid4(), drugs(4_560), FIRST_PIN).phase == "settled"
    assert counter.agrees(card) == 7_440


@pytest.mark.acceptance("S4-37")
def test_daily_goods_are_refused_before_the_chip_offers_anything(counter):
    card = counter.funded()
    with pytest.raises(NotMedical):
        counter.pharmacy.purchase(card, uuid4(), [Item(ItemCategory.DAILY_GOODS, 100)], FIRST_PIN)
    assert counter.agrees(card) == 10_000


def test_limits_of_account_region_and_wallet(counter):
    card = counter.funded(0)
    for amount_fen, refusal in ((0, LimitExceeded), (50_001, LimitExceeded), (20_001, InsufficientFunds)):
        with pytest.raises(refusal):
            counter.outlet.load(card, uuid4(), amount_fen, FIRST_PIN)
    assert counter.agrees(card) == 0
    counter.outlet.load(card, uuid4(), 20_000, FIRST_PIN)
    with pytest.raises(CardRefused, match="9401"):
        counter.pharmacy.purchase(card, uuid4(), drugs(20_001), FIRST_PIN)
    assert counter.agrees(card) == 20_000


STATES = {
    Application.TEMPORARY_LOSS: lambda town: report_temporary_loss(town.teller, uuid4(), card_no=CARD),
    Application.FORMAL_LOSS: lambda town: report_formal_loss(town.teller, uuid4(), card_no=CARD, document=shown()),
    Application.LOCKED: lambda town: lock(town.clerk, uuid4(), card_no=CARD, reason=LockReason.OTHER),
    Application.CANCELLED: lambda town: cancel(town.clerk, uuid4(), card_no=CARD, reason=CancelReason.OTHER),
}


@pytest.mark.parametrize("state", STATES)
def test_no_money_moves_by_a_card_that_is_not_in_normal_use(counter, state):
    card = counter.funded()
    STATES[state](counter.town)
    assert Card.objects.get(pk=CARD).application == state
    with pytest.raises(IllegalTransition):
        counter.outlet.load(card, uuid4(), 100, FIRST_PIN)
    with pytest.raises(IllegalTransition):
        counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    assert counter.agrees(card) == 10_000


@pytest.mark.acceptance("S0-10")
@pytest.mark.parametrize("sealed", [False, True])
def test_no_money_moves_by_a_card_that_was_never_activated(counter, sealed):
    card = counter.in_stock() if sealed else counter.handed_over()
    counter.town.credit()
    if sealed:
        seal(counter.town.clerk, uuid4(), card_no=CARD)
    with pytest.raises(IllegalTransition, match="sealed" if sealed else "not activated"):
        counter.outlet.load(card, uuid4(), 100, FIRST_PIN)
    assert counter.agrees(card) == 0


class Answering(Layer):
    """A card whose answer to one instruction is replaced; the card may have done it, or not have heard of it."""

    def __init__(self, link, instruction, answer, *, heard):
        super().__init__(link)
        self.instruction, self.answer, self.heard = instruction, answer, heard

    def transceive(self, command):
        if command[1] != self.instruction:
            return self.link.transceive(command)
        if self.heard:
            self.link.transceive(command)
        return bytes.fromhex(self.answer)


def move(counter, kind, link, transfer_id):
    """Load or pay one yuan."""
    if kind == "load":
        return counter.outlet.load(link, transfer_id, 100, FIRST_PIN)
    return counter.pharmacy.purchase(link, transfer_id, drugs(100), FIRST_PIN)


def recover(counter, kind, link, transfer_id):
    """Find out what became of it."""
    if kind == "load":
        return counter.outlet.recover_load(link, transfer_id, FIRST_PIN)
    return counter.pharmacy.recover_purchase(link, transfer_id, FIRST_PIN)


INSTRUCTION = {"load": 0x52, "purchase": 0x54}


@pytest.mark.parametrize("kind", INSTRUCTION)
def test_a_plain_refusal_of_the_chip_cancels_at_once(counter, kind):
    card = counter.funded()
    transfer_id = uuid4()
    refusing = Answering(card, INSTRUCTION[kind], "9302", heard=False)
    with pytest.raises(CardRefused):
        move(counter, kind, refusing, transfer_id)
    assert counter.agrees(card) == 10_000
    with pytest.raises(AlreadyResolved):  # the clock has not moved: the very same request
        move(counter, kind, card, transfer_id)
    assert counter.agrees(card) == 10_000


@pytest.mark.parametrize("kind", INSTRUCTION)
@pytest.mark.parametrize("answer", ["6581", "6400", "6F00", "6281", "000000000000000000009000", "00"])
@pytest.mark.parametrize("heard", [False, True])
def test_an_answer_that_proves_nothing_leaves_the_money_open_until_the_chip_tells(counter, kind, answer, heard):
    card = counter.funded()
    transfer_id = uuid4()
    with pytest.raises(Exception):  # noqa: B017 - as many kinds as answers
        move(counter, kind, Answering(card, INSTRUCTION[kind], answer, heard=heard), transfer_id)
    assert open_transfers() == 1
    assert recover(counter, kind, card, transfer_id).phase == ("settled" if heard else "void")
    assert counter.agrees(card) == 10_000 + {"load": 100, "purchase": -100}[kind] * heard


def test_an_outlet_shows_no_secret():
    shown_outlet = repr(Outlet(None, other_keys(), PROFILE, bytes(6), lambda: MORNING, bytes))
    assert bytes(range(16, 32)).hex() not in shown_outlet.lower()
