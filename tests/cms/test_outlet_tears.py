"""The power goes at every physical write of a load and of a purchase; nothing is lost and nothing doubled."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from cms.counter import (
    CARD,
    FIRST_PIN,
    SUCCESSOR,
    Counter,
    account_fen,
    behind_the_rules,
    drugs,
    grey_fen,
    open_transfers,
)
from cms.town import EXPIRES, ISSUED, shown
from kaguan.apdu.chaining import Layer
from kaguan.apdu.errors import CardLost
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.queries import open_reservations
from kaguan.cms.rules.refusals import AlreadyResolved, NeedsReconciliation, NotEligible, NotFound
from kaguan.cms.services.loss import report_formal_loss
from kaguan.cms.services.orders import NewCard, order_replacement
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import tearing
from terminal.counter import Losing

pytestmark = pytest.mark.slow

INSTRUCTION = {"load": 0x52, "purchase": 0x54}
COMMAND = {"load": "CREDIT FOR LOAD", "purchase": "DEBIT FOR PURCHASE"}
AMOUNT_FEN = 300
CHANGE_FEN = {"load": AMOUNT_FEN, "purchase": -AMOUNT_FEN}
START_FEN = 10_000
NEVER = 1_000


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def move(counter, kind, link, transfer_id, amount_fen=AMOUNT_FEN):
    """Load it, or pay it."""
    if kind == "load":
        return counter.outlet.load(link, transfer_id, amount_fen, FIRST_PIN)
    return counter.pharmacy.purchase(link, transfer_id, drugs(amount_fen), FIRST_PIN)


def recover(counter, kind, link, transfer_id, pin=FIRST_PIN):
    """Find out what became of it."""
    if kind == "load":
        return counter.outlet.recover_load(link, transfer_id, pin)
    return counter.pharmacy.recover_purchase(link, transfer_id, pin)


def torn(counter, kind, card, after_writes):
    """The id of a transfer whose power went after so many writes, None when it came through."""
    transfer_id = uuid4()
    link = tearing(card, during=COMMAND[kind], after_writes=after_writes)
    try:
        move(counter, kind, link, transfer_id)
    except CardLost:
        assert link.struck
        return transfer_id
    return None


class Measuring(Layer):
    """A card whose physical writes during one instruction are counted."""

    def __init__(self, link, instruction):
        super().__init__(link)
        self.instruction, self.writes = instruction, 0

    def transceive(self, command):
        if command[1] != self.instruction:
            return self.link.transceive(command)
        power = self.link.power
        before = power.writes
        power.cut_after(NEVER)  # writes are counted one by one where a cut is planned
        response = self.link.transceive(command)
        power.restore()
        self.writes = power.writes - before
        return response


def last_write_of(counter, kind, card):
    """The write of the command that nothing follows but its answer; one transfer is made to count them."""
    measured = Measuring(card, INSTRUCTION[kind])
    move(counter, kind, measured, uuid4())
    return measured.writes - 1


@pytest.mark.parametrize("kind", COMMAND)
def test_a_cut_at_any_write_leaves_books_and_chip_agreeing(counter, kind):
    card = counter.funded(START_FEN)
    whole_fen = account_fen() + START_FEN
    expected_fen, phases = START_FEN, []
    for after_writes in count():
        transfer_id = torn(counter, kind, card, after_writes)
        if transfer_id is None:
            break
        assert grey_fen() == AMOUNT_FEN
        verify_books()
        outcome = recover(counter, kind, card, transfer_id)
        phases.append(outcome.phase)
        expected_fen += CHANGE_FEN[kind] * (outcome.phase == "settled")
        assert counter.agrees(card) == expected_fen
        with pytest.raises(AlreadyResolved):
            recover(counter, kind, card, transfer_id)
        assert counter.agrees(card) == expected_fen
    expected_fen += CHANGE_FEN[kind]
    assert counter.agrees(card) == expected_fen
    assert phases == sorted(phases, reverse=True)  # void before the commit, settled from there on
    assert set(phases) == {"void", "settled"}
    assert account_fen() == (whole_fen - expected_fen if kind == "load" else whole_fen - START_FEN)


@pytest.mark.parametrize("kind", COMMAND)
@pytest.mark.parametrize("heard", [False, True])
def test_the_wire_breaks_at_every_command(counter, kind, heard):
    card = counter.funded(START_FEN)
    expected_fen = START_FEN
    for broken_at in count():
        transfer_id = uuid4()
        try:
            move(counter, kind, Losing(card, broken_at, heard=heard), transfer_id)
        except CardLost:
            if not open_transfers():  # it broke before the books were asked
                assert counter.agrees(card) == expected_fen
                continue
            outcome = recover(counter, kind, card, transfer_id)
            expected_fen += CHANGE_FEN[kind] * (outcome.phase == "settled")
            assert (outcome.phase == "settled") == heard
            assert counter.agrees(card) == expected_fen
        else:
            break
    assert counter.agrees(card) == expected_fen + CHANGE_FEN[kind]


@pytest.mark.parametrize("kind", COMMAND)
def test_recovery_itself_may_be_torn_off_and_done_again(counter, kind):
    card = counter.funded(START_FEN)
    for after_writes in (0, last_write_of(counter, kind, card)):
        before_fen = counter.agrees(card)
        transfer_id = torn(counter, kind, card, after_writes)
        for broken_at in count():
            try:
                outcome = recover(counter, kind, Losing(card, broken_at, heard=True), transfer_id)
            except CardLost:
                assert open_transfers() == 1
                continue
            break
        settled = outcome.phase == "settled"
        assert settled == bool(after_writes)
        assert counter.agrees(card) == before_fen + CHANGE_FEN[kind] * settled


@pytest.mark.parametrize("kind", COMMAND)
def test_recovery_with_another_card_is_refused(counter, kind):
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, kind, card, 0)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    replaced(counter)
    other = counter.active(SUCCESSOR)
    with pytest.raises(NotEligible, match=f"it was card {CARD}, the one in the reader is {SUCCESSOR}"):
        recover(counter, kind, other, transfer_id)
    with pytest.raises(NotFound):
        recover(counter, {"load": "purchase", "purchase": "load"}[kind], card, transfer_id)
    assert open_transfers() == 1
    assert recover(counter, kind, card, transfer_id).phase == "void"


@pytest.mark.parametrize("kind", COMMAND)
def test_without_a_proof_the_pin_is_needed_to_tell(counter, kind):
    card = counter.funded(START_FEN)
    last_write = last_write_of(counter, kind, card)
    transfer_id = torn(counter, kind, card, 0)
    with pytest.raises(NeedsReconciliation, match="PIN"):
        recover(counter, kind, card, transfer_id, pin=None)
    assert open_transfers() == 1
    assert recover(counter, kind, card, transfer_id).phase == "void"
    transfer_id = torn(counter, kind, card, last_write)
    assert recover(counter, kind, card, transfer_id, pin=None).phase == "settled"
    counter.agrees(card)


@pytest.mark.parametrize("kind", COMMAND)
@pytest.mark.parametrize("next_kind", COMMAND)
def test_a_card_that_has_gone_on_leaves_what_it_cannot_prove_open(counter, kind, next_kind):
    """The torn transfer reached the chip, then a terminal that nobody knows took the place of its proof."""
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, kind, card, last_write_of(counter, kind, card))
    held_fen = counter.chip_fen(card)
    behind_the_rules(counter, next_kind, card, 100, booked=False)
    for _ in range(2):
        with pytest.raises(NeedsReconciliation, match=r"number \d+, this was number \d+, .* reconciles it"):
            recover(counter, kind, card, transfer_id)
        assert [str(transfer_id)] == [row["transfer"] for row in open_reservations()]
        assert grey_fen() == AMOUNT_FEN
        verify_books()
    in_books = balance(purse_account(CARD))
    change = {"load": 100, "purchase": -100}[next_kind]
    assert counter.chip_fen(card) == held_fen + change
    assert counter.chip_fen(card) - in_books == {"load": AMOUNT_FEN, "purchase": 0}[kind] + change


@pytest.mark.parametrize("kind", COMMAND)
@pytest.mark.parametrize("later_fen", [AMOUNT_FEN, 100])
def test_a_number_that_another_transfer_used_cancels_the_first(counter, kind, later_fen):
    """The torn transfer never reached the chip, and the next one got its number; even a twin is not booked twice."""
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, kind, card, 0)
    behind_the_rules(counter, kind, card, later_fen, booked=True)
    assert recover(counter, kind, card, transfer_id, pin=None).phase == "void"
    assert counter.agrees(card) == START_FEN + {"load": later_fen, "purchase": -later_fen}[kind]


def test_a_load_that_did_not_happen_is_cancelled_after_purchases_too(counter):
    card = counter.funded(START_FEN)
    transfer_id = torn(counter, "load", card, 0)
    behind_the_rules(counter, "purchase", card, AMOUNT_FEN, booked=True)
    assert recover(counter, "load", card, transfer_id).phase == "void"
    assert counter.agrees(card) == START_FEN - AMOUNT_FEN


def replaced(counter):
    """A successor is ordered for the lost card."""
    order_replacement(counter.town.clerk, uuid4(), card_no=CARD, new=NewCard(SUCCESSOR, "R1", ISSUED, EXPIRES))


def lost_and_blocked(counter) -> EmulatedCard:
    """The old card, with money on it, is lost for good and its chip is dead."""
    card = counter.funded(START_FEN)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    counter.outlet.block_card(card, uuid4())
    replaced(counter)
    return card


@pytest.mark.parametrize("after_writes", range(6))
def test_a_torn_carry_over_brings_the_balance_once(counter, after_writes):
    lost_and_blocked(counter)
    card = counter.active(SUCCESSOR)
    load_id = uuid4()
    try:
        counter.outlet.carry_over(
            tearing(card, during="CREDIT FOR LOAD", after_writes=after_writes), load_id, FIRST_PIN
        )
    except CardLost:
        assert grey_fen() == START_FEN
        if counter.outlet.recover_load(card, load_id, FIRST_PIN).phase == "void":
            assert balance(purse_account(CARD)) == START_FEN
            counter.outlet.carry_over(card, uuid4(), FIRST_PIN)
    assert balance(purse_account(CARD)) == 0
    assert counter.agrees(card, SUCCESSOR) == START_FEN
