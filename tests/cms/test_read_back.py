"""After each step the chip is read back: what disagrees opens a case, which two people settle."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from card.cards import PROFILE
from cms.chip_steps import locked
from cms.counter import (
    CARD,
    FIRST_PIN,
    NEW_PIN,
    WRONG_PIN,
    Counter,
    behind_the_rules,
    drugs,
    vault,
)
from cms.neighbours import neighbour_at
from cms.test_outlet_activation import spoil
from cms.town import shown
from kaguan.apdu.errors import NeedsSecondPerson
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import AuditEntry, Card, ChipCase
from kaguan.cms.queries import account_record
from kaguan.cms.rules.chip_state import Facet, Remedy
from kaguan.cms.rules.lifecycle import Application, LockReason
from kaguan.cms.rules.refusals import AlreadyResolved, IllegalTransition, NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.approvals.asking import ask_settlement
from kaguan.cms.services.approvals.deciding import approve, reject
from kaguan.cms.services.casework import ChipCaseView, look_at_case, look_at_cases
from kaguan.cms.services.chip.pin import begin_pin_change, begin_pin_reset, end_pin_step
from kaguan.cms.services.lock import unlock
from kaguan.personalization.specimen import REGION
from kaguan.terminal.cardkeys import CardKeys
from kaguan.terminal.conversations.blocking import block_application
from kaguan.terminal.refusals import PinRefused
from kaguan.terminal.script import converse

pytestmark = pytest.mark.slow

START_FEN = 10_000


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def facets() -> list[str]:
    """About what a case is open."""
    return sorted(ChipCase.objects.filter(state="open").values_list("facet", flat=True))


def looked_at(counter: Counter, case_id: UUID) -> ChipCaseView:
    """The case as the authority's clerk sees it."""
    return look_at_case(counter.town.clerk, uuid4(), case_id=case_id)


def only_case(**which) -> UUID:
    """The id of the case that is open."""
    (case,) = ChipCase.objects.filter(state="open", **which)
    return case.pk


def asked(counter, remedy, by=None, **which) -> UUID:
    """The id of a request to settle the open case so."""
    approval, case = uuid4(), only_case(**which)
    ask_settlement(by or counter.town.clerk, approval, case_id=case, remedy=remedy, reason="journal, page 3")
    return approval


def test_a_day_at_the_counter_opens_no_case(counter):
    card = counter.funded(0)
    counter.outlet.change_pin(card, uuid4(), FIRST_PIN, NEW_PIN)
    for _ in range(3):
        counter.outlet.load(card, uuid4(), 500, NEW_PIN)
        counter.pharmacy.purchase(card, uuid4(), drugs(200), NEW_PIN)
        with pytest.raises(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    told = counter.outlet.read(card)
    assert (told.chip_fen, told.books_fen, told.chip, told.open_cases) == (900, 900, "serving", "")
    assert not ChipCase.objects.exclude(state="settled").exists()
    assert not AuditEntry.objects.filter(action="read back").exists()


@pytest.mark.parametrize("kind", ["load", "purchase"])
def test_what_a_chip_did_where_nobody_booked_it_is_seen_after_the_next_step(counter, kind):
    card = counter.funded(START_FEN)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    behind_the_rules(counter, kind, card, 700, booked=False)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    expected = {"load": [Facet.LOAD_NUMBER, Facet.PURSE], "purchase": [Facet.PURSE]}[kind]
    assert facets() == sorted(expected)
    purse = ChipCase.objects.get(facet=Facet.PURSE)
    assert purse.more_fen == {"load": 700, "purchase": -700}[kind]
    assert (purse.step, purse.operator, purse.institution) == ("purchase", "pharmacist", "PHARMACY-1")
    assert bytes.fromhex(purse.terminal_no) == counter.pharmacy.terminal


def test_a_purchase_number_that_was_used_elsewhere_is_seen(counter):
    card = counter.funded(START_FEN)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    counter.outlet.load(card, uuid4(), 100, FIRST_PIN)
    assert facets() == [Facet.PURCHASE_NUMBER, Facet.PURSE]


def test_the_same_disagreement_is_one_case_however_often_it_is_seen(counter):
    card = counter.funded(START_FEN)
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    for seen in (1, 2, 3):
        assert counter.outlet.read(card).open_cases == Facet.PURSE
        assert looked_at(counter, only_case()).sightings == seen
    assert looked_at(counter, only_case()).chip == "9300 fen"
    assert AuditEntry.objects.filter(action="read back", outcome="done").count() == 3


def test_a_record_that_somebody_spoiled_is_seen(counter):
    card = counter.handed_over()
    counter.outlet.activate(card, uuid4(), shown())
    spoil(card, "310,990200,20260101")
    counter.outlet.read(card)
    assert facets() == [Facet.RECORD]


def test_a_chip_whose_pin_was_blocked_where_nobody_booked_it_is_seen(counter):
    card = counter.active()
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.at(counter.town.clerk).verify_pin(card, uuid4(), WRONG_PIN)  # who may not book it
    assert Card.objects.get(pk=CARD).pin == "0"
    counter.outlet.read(card)
    assert facets() == [Facet.PIN]


def test_a_chip_that_somebody_locked_is_seen(counter):
    card = counter.active()
    card.reset()
    converse(card, block_application(CardKeys(vault(), PROFILE, REGION, card.atr)))
    told = counter.outlet.read(card)
    assert (told.chip, told.chip_fen) == ("blocked", None)
    assert facets() == [Facet.APPLICATION]


def test_two_people_let_the_books_follow_the_chip(counter):
    card = counter.funded(START_FEN)
    behind_the_rules(counter, "load", card, 700, booked=False)
    counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    numbers = asked(counter, Remedy.EXPLAINED, facet=Facet.LOAD_NUMBER)
    approve(counter.town.supervisor, uuid4(), approval_id=numbers)
    with pytest.raises(NotEligible, match="the chip shows 10600 fen, the books 9900"):
        counter.outlet.load(card, uuid4(), 100, FIRST_PIN)
    approval = asked(counter, Remedy.BOOKS_FOLLOW)
    assert balance(purse_account(CARD)) == START_FEN - 100
    approve(counter.town.supervisor, uuid4(), approval_id=approval)
    assert counter.agrees(card) == START_FEN + 600
    assert balance("SUSPENSE") == -700
    assert account_record("SUSPENSE")["newest_entries"][0]["kind"] == "correction"
    assert facets() == []
    verify_books()
    known = look_at_cases(counter.town.clerk, uuid4(), settled=True)
    (settled,) = [case.case_id for case in known if case.about == Facet.PURSE]
    record = looked_at(counter, UUID(settled))
    assert (record.state, record.why, record.approval) == ("settled", Remedy.BOOKS_FOLLOW, str(approval))
    counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    assert Facet.PURSE not in facets()


def test_a_chip_that_holds_less_takes_it_from_the_books(counter):
    card = counter.funded(START_FEN)
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    counter.outlet.read(card)
    approve(counter.town.supervisor, uuid4(), approval_id=asked(counter, Remedy.BOOKS_FOLLOW))
    assert counter.agrees(card) == START_FEN - 700


def test_an_explained_case_moves_nothing(counter):
    card = counter.funded(START_FEN)
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    counter.outlet.read(card)
    approve(counter.town.supervisor, uuid4(), approval_id=asked(counter, Remedy.EXPLAINED))
    assert balance(purse_account(CARD)) == START_FEN
    assert facets() == []
    counter.outlet.read(card)
    assert facets() == [Facet.PURSE]  # it is still so, and is told again


def test_nobody_settles_alone_or_out_of_reach(counter):
    card, town = counter.funded(START_FEN), counter.town
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    counter.outlet.read(card)
    for nobody in (town.teller, town.pharmacist, town.administrator):
        with pytest.raises(NotAllowed):
            asked(counter, Remedy.EXPLAINED, by=nobody)
    own = asked(counter, Remedy.EXPLAINED, by=town.supervisor)
    with pytest.raises(NeedsSecondPerson):
        approve(town.supervisor, uuid4(), approval_id=own)
    with pytest.raises(NotFound):
        ask_settlement(town.clerk, uuid4(), case_id=uuid4(), remedy=Remedy.EXPLAINED, reason="x")
    with pytest.raises(NotEligible, match="needs a reason"):
        ask_settlement(town.clerk, uuid4(), case_id=only_case(), remedy=Remedy.EXPLAINED, reason=" ")
    first, second = asked(counter, Remedy.EXPLAINED), asked(counter, Remedy.BOOKS_FOLLOW)
    approve(town.supervisor, uuid4(), approval_id=first)
    with pytest.raises(AlreadyResolved, match="settled before"):
        approve(town.supervisor, uuid4(), approval_id=second)
    reject(town.supervisor, uuid4(), approval_id=second, why="settled meanwhile")
    assert balance(purse_account(CARD)) == START_FEN


def test_only_a_purse_follows(counter):
    card = counter.active()
    spoiled = counter.town.clerk
    for _ in range(3):
        with pytest.raises(PinRefused):
            counter.at(spoiled).verify_pin(card, uuid4(), WRONG_PIN)
    counter.outlet.read(card)
    with pytest.raises(NotEligible, match="purse alone"):
        asked(counter, Remedy.BOOKS_FOLLOW)


def test_lock_and_unlock_reach_the_chip(counter):
    card = locked(counter)
    clerk = counter.at(counter.town.clerk)
    assert clerk.read(card).chip == "blocked"
    with pytest.raises(IllegalTransition, match="locked"):
        counter.pharmacy.purchase(card, uuid4(), drugs(100), FIRST_PIN)
    with pytest.raises(NotEligible, match="locked already"):
        clerk.lock_card(card, uuid4(), LockReason.OTHER)
    assert clerk.unlock_card(card, uuid4()).application == Application.NORMAL
    with pytest.raises(IllegalTransition):
        clerk.unlock_card(card, uuid4())
    assert counter.agrees(card) == START_FEN
    assert facets() == []


def test_a_chip_that_the_books_unlocked_without_a_reader_is_owed_it(counter):
    card = locked(counter)
    unlock(counter.town.clerk, uuid4(), card_no=CARD)
    assert counter.outlet.read(card).open_cases == Facet.APPLICATION
    counter.at(counter.town.clerk).unlock_card(card, uuid4())
    assert counter.outlet.read(card).chip == "serving"
    assert counter.agrees(card) == START_FEN


def test_who_may_not_lock_does_not_reach_the_chip(counter):
    card = counter.active()
    before = card.image
    with pytest.raises(NotAllowed):
        counter.outlet.lock_card(card, uuid4(), LockReason.OTHER)
    assert card.image == before


def test_another_citys_case_does_not_exist_here(counter):
    card = counter.funded(START_FEN)
    behind_the_rules(counter, "purchase", card, 700, booked=False)
    counter.outlet.read(card)
    other = neighbour_at(InstitutionKind.AUTHORITY)
    with pytest.raises(NotFound):
        asked(counter, Remedy.EXPLAINED, by=other)


def test_a_step_that_is_open_goes_on_under_its_own_id(town):
    first, second = UUID(int=1), UUID(int=2)
    town.active_card(CARD)
    begin_pin_change(town.cashier, first, card_no=CARD)
    (known,) = ChipCase.objects.all()
    begin_pin_reset(town.teller, second, card_no=CARD, document=shown())
    assert ChipCase.objects.get().pk == known.pk
    end_pin_step(town.teller, second, card_no=CARD)
    assert ChipCase.objects.get().state == "settled"
    assert Card.objects.get().pin == "1"
