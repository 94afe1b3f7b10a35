"""Activation with the card in a reader: chip and books go together, whatever breaks between them."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from card.cards import PROFILE
from cms.counter import CARD, MORNING, Counter, vault
from cms.evidence import FORM, centre, copies, hospital, verdicts
from cms.town import CERT_NO, shown
from kaguan.apdu.errors import CardLost
from kaguan.cms.models import Activation, Card
from kaguan.cms.rules.activation import Visit
from kaguan.cms.rules.lifecycle import Application, CancelReason
from kaguan.cms.rules.refusals import (
    AlreadyResolved,
    IdempotencyConflict,
    IllegalTransition,
    NeedsReconciliation,
    NotEligible,
    NotFound,
)
from kaguan.cms.services.activation.old_card import show_old_card
from kaguan.cms.services.activation.visit import register_visit
from kaguan.cms.services.case import Actor
from kaguan.cms.services.lock import cancel
from kaguan.emulator.faults import tearing
from kaguan.personalization.specimen import REGION
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.insurance import read_insurances, write_insurance
from kaguan.terminal.layers import Layer
from kaguan.terminal.refusals import CardRefused
from kaguan.terminal.script import converse

pytestmark = pytest.mark.slow

WRITING, UPDATE_RECORD = "UPDATE RECORD", 0xDC
SLOT = 2  # the specimen's second insurance record speaks of medical insurance


class Losing(Layer):
    """A wire that breaks at the record's writing: before the card hears it, or before its answer arrives."""

    def __init__(self, link, *, heard):
        super().__init__(link)
        self.heard = heard

    def transceive(self, command):
        if command[1] != UPDATE_RECORD:
            return self.link.transceive(command)
        if self.heard:
            self.link.transceive(command)
        raise CardLost("a test")


class Refusing(Layer):
    """A card that looks at the record and leaves it."""

    def transceive(self, command):
        return bytes.fromhex("6982") if command[1] == UPDATE_RECORD else self.link.transceive(command)


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def insurances(card):
    card.reset()
    return converse(card, read_insurances(CardKeys(vault(), PROFILE, REGION, card.atr)))


def spoil(card, text):
    """Somebody else writes the record."""
    card.reset()
    converse(card, write_insurance(CardKeys(vault(), PROFILE, REGION, card.atr), SLOT, text))


def application():
    return Card.objects.get(pk=CARD).application


def agrees(card, before):
    """Whether the card is in use; chip and books say the same, and nothing is open."""
    written = insurances(card) != before
    assert written == (application() == Application.NORMAL)
    assert not Activation.objects.filter(phase="open").exists()
    return written


@pytest.mark.acceptance("S1-7")
@pytest.mark.acceptance("S1-9")
def test_activation_writes_its_record_to_the_chip_and_touches_no_other(counter):
    card = counter.handed_over()
    before = insurances(card)
    asked = uuid4()
    done = counter.outlet.activate(card, asked, shown())
    assert (done.phase, done.application, done.chip_slot) == ("done", "1", SLOT)
    after = insurances(card)
    assert after[SLOT - 1].split(",")[:3] == ["310", "990100", f"{MORNING:%Y%m%d}"]
    assert after[SLOT - 1].split(",")[3:] == before[SLOT - 1].split(",")[3:]
    assert [a for n, a in enumerate(after) if n != SLOT - 1] == [b for n, b in enumerate(before) if n != SLOT - 1]
    writes = card.power.writes
    assert counter.outlet.activate(card, asked, shown()) == done
    assert Activation.objects.get().chip_written_at is not None
    assert card.power.writes - writes <= 3  # power-ups alone
    with pytest.raises(IllegalTransition):
        counter.outlet.activate(card, uuid4(), shown())


@pytest.mark.acceptance("S1-8")
def test_what_the_books_refuse_does_not_touch_the_chip(counter):
    card = counter.handed_over()
    before = insurances(card)
    with pytest.raises(NotEligible, match="document"):
        counter.outlet.activate(card, uuid4(), shown("990101198811110028"))
    assert not agrees(card, before)
    with pytest.raises(NotEligible, match="belongs to bank"):
        counter.at(counter.town.other_bank_teller).activate(card, uuid4(), shown())
    assert not agrees(card, before)


@pytest.mark.acceptance("S1-8")
def test_torn_anywhere_neither_side_is_changed_alone(counter):
    card, seen = counter.handed_over(), set()
    before = insurances(card)
    for after_writes in count():
        Activation.objects.all().delete()
        Card.objects.filter(pk=CARD).update(application=Application.NOT_ENABLED, bank_function="0")
        spoil(card, before[SLOT - 1])
        link, asked = tearing(card, during=WRITING, after_writes=after_writes), uuid4()
        try:
            counter.outlet.activate(link, asked, shown())
        except CardLost:
            assert link.struck
            ended = counter.outlet.recover_activation(card, asked).phase
            seen.add(ended)
            assert (ended == "done") == agrees(card, before)
            with pytest.raises(AlreadyResolved):
                counter.outlet.recover_activation(card, asked)
            continue
        assert agrees(card, before)
        break
    assert seen == {"done", "cancelled"}


@pytest.mark.parametrize("answered", [True, False])
def test_an_answer_that_is_lost_is_found_out_when_it_is_asked_again(counter, answered):
    card = counter.handed_over()
    before, asked = insurances(card), uuid4()
    losing = Losing(card, heard=answered)
    with pytest.raises(CardLost):
        counter.outlet.activate(losing, asked, shown())
    assert Activation.objects.get().phase == "open"
    assert application() == Application.NOT_ENABLED
    with pytest.raises(NeedsReconciliation, match="still open"):
        counter.outlet.activate(card, uuid4(), shown())
    assert counter.outlet.activate(card, asked, shown()).phase == ("done" if answered else "cancelled")
    assert agrees(card, before) is answered


def test_a_card_that_refuses_the_record_is_not_in_use(counter):
    card = counter.handed_over()
    before, asked = insurances(card), uuid4()

    with pytest.raises(CardRefused):
        counter.outlet.activate(Refusing(card), asked, shown())
    assert not agrees(card, before)
    with pytest.raises(AlreadyResolved, match="cancelled"):
        counter.outlet.activate(card, asked, shown())


def test_when_the_books_say_no_afterwards_the_chip_is_as_it_was(counter):
    card = counter.handed_over()
    before, asked = insurances(card), uuid4()
    with pytest.raises(CardLost):
        counter.outlet.activate(Losing(card, heard=True), asked, shown())
    assert insurances(card) != before
    cancel(counter.town.clerk, uuid4(), card_no=CARD, reason=CancelReason.QUALITY)
    with pytest.raises(IllegalTransition, match="cancelled"):
        counter.outlet.recover_activation(card, asked)
    assert insurances(card) == before
    assert (Activation.objects.get().phase, application()) == ("cancelled", Application.CANCELLED)


def test_a_record_that_somebody_else_wrote_leaves_it_open(counter):
    card = counter.handed_over()
    asked = uuid4()
    with pytest.raises(CardLost):
        counter.outlet.activate(Losing(card, heard=False), asked, shown())
    spoil(card, "310,990101,20200101")
    with pytest.raises(NeedsReconciliation, match="neither what it was"):
        counter.outlet.recover_activation(card, asked)
    assert Activation.objects.get().phase == "open"


def test_an_activation_is_its_own_institutions_and_its_own_cards(counter):
    card, asked = counter.handed_over(), uuid4()
    with pytest.raises(CardLost):
        counter.outlet.activate(Losing(card, heard=True), asked, shown())
    elsewhere = counter.at(counter.town.other_bank_teller)
    with pytest.raises(NotFound, match="ABC-1 has no activation"):
        elsewhere.recover_activation(card, asked)
    with pytest.raises(IdempotencyConflict):
        elsewhere.activate(card, asked, shown())
    with pytest.raises(NotFound):
        counter.outlet.recover_activation(card, uuid4())


@pytest.mark.acceptance("S1-7")
@pytest.mark.parametrize("way", ["centre", "hospital", "pharmacy"])
def test_every_other_way_writes_the_record_too(counter, way):
    card, town = counter.handed_over(), counter.town
    before = insurances(card)
    if way == "centre":
        desk = counter.at(centre(town))
        desk.activate_at_centre(card, uuid4(), shown(), FORM, copies(), verdicts(CARD))
    elif way == "hospital":
        desk, asked = counter.at(hospital(town)), uuid4()
        first = desk.register_visit(card, asked, Visit.OUTPATIENT, "R1")
        assert (first.application, first.phase) == (Application.NORMAL, "done")
        assert desk.register_visit(card, asked, Visit.OUTPATIENT, "R1").activation_id == first.activation_id
        assert desk.register_visit(card, uuid4(), Visit.INPATIENT, "R2").activation_id == ""
    else:
        desk = counter.pharmacy
        with pytest.raises(NotEligible, match="old card"):
            desk.activate_by_old_card(card, uuid4())
        show_old_card(
            town.pharmacist,
            uuid4(),
            old_card_no="M1",
            cert_type="01",
            cert_no=CERT_NO,
            terminal_no=desk.terminal.hex().upper(),
        )
        desk.activate_by_old_card(card, uuid4())
    assert agrees(card, before)


def test_a_new_card_read_twice_is_not_its_own_old_one(counter):
    card = counter.handed_over()
    counter.pharmacy.show_old_card(card, uuid4())
    with pytest.raises(NotEligible, match="old card has to be read here first"):
        counter.pharmacy.activate_by_old_card(card, uuid4())


def test_a_visit_whose_answer_was_lost_is_found_out(counter):
    card = counter.handed_over()
    before, asked, desk = insurances(card), uuid4(), counter.at(hospital(counter.town))
    with pytest.raises(CardLost):
        desk.register_visit(Losing(card, heard=True), asked, Visit.INPATIENT, "R1")
    assert desk.register_visit(card, asked, Visit.INPATIENT, "R1").application == Application.NORMAL
    assert agrees(card, before)


def test_a_record_that_is_owed_is_written_when_the_card_is_next_in_a_reader(counter):
    card = counter.handed_over()
    before = insurances(card)
    registrar = hospital(counter.town)
    register_visit(registrar, uuid4(), card_no=CARD, visit=Visit.OUTPATIENT, registration_no="R1")
    assert (application(), insurances(card)) == (Application.NORMAL, before)
    desk, asked = counter.at(Actor("registrar", "HOSPITAL-1")), uuid4()
    assert desk.write_owed_record(card, asked).chip_slot == SLOT
    assert insurances(card)[SLOT - 1].startswith("310,990100,")
    with pytest.raises(NotFound, match="owed no record"):
        desk.write_owed_record(card, uuid4())
