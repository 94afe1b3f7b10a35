"""The blacklist from the books to a terminal: every lost or ended card, once, and refused offline after a push."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management.color import no_style
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from card.cards import PROFILE
from card.modules import MODULE_TERMINAL, module
from cms.counter import CARD, FIRST_PIN, Counter
from cms.neighbours import neighbour_at
from cms.town import EXPIRES, shown
from kaguan.cms.models import BlacklistChange, BlacklistPush, Card, ChipCase
from kaguan.cms.rules.chip_state import Facet
from kaguan.cms.rules.lifecycle import Application, CancelReason, LockReason
from kaguan.cms.rules.refusals import NotAllowed, NotEligible, NotFound
from kaguan.cms.rules.regions import InstitutionKind
from kaguan.cms.services.casework import ListedCard, look_at_blacklist, look_at_pushed_lists
from kaguan.cms.services.chip.blacklist import blacklist_of, push_blacklist
from kaguan.cms.services.lock import cancel, lock, unlock
from kaguan.cms.services.loss import release_loss, report_formal_loss, report_temporary_loss
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.blacklist import CardListed, ForgedList, StaleList, TerminalBlacklist
from kaguan.terminal.offline import OfflineTerminal
from kaguan.terminal.psam import SecurityModule

AUTHORITY = Ed25519PrivateKey.generate()


@pytest.fixture
def counter(town) -> Counter:
    """The town's counters."""
    return Counter(town)


def pushed(town, *, terminal=MODULE_TERMINAL, whole=False, key=AUTHORITY) -> bytes:
    """The signed list that the terminal is given now."""
    push = push_blacklist(town.clerk, uuid4(), terminal_no=terminal, whole=whole, institution="PHARMACY-1")
    return blacklist_of(UUID(push.push_id)).signed(key)


def listed(town) -> list[ListedCard]:
    """The region's blacklist."""
    return look_at_blacklist(town.clerk, uuid4(), region="990100")


def now() -> datetime:
    """A moment after every push of a test."""
    return datetime.now(UTC) + timedelta(minutes=1)


def terminal_blacklist() -> TerminalBlacklist:
    """The list of the pharmacy's terminal, empty."""
    return TerminalBlacklist(bytes.fromhex(MODULE_TERMINAL), AUTHORITY.public_key())


def offline(blacklist) -> OfflineTerminal:
    """The pharmacy's terminal, with nobody to ask."""
    return OfflineTerminal(SecurityModule(EmulatedCard(module())), blacklist, PROFILE)


def test_after_a_push_the_lost_card_is_refused_offline(counter):
    card, blacklist = counter.funded(), terminal_blacklist()
    terminal = offline(blacklist)
    blacklist.take(pushed(counter.town), now())
    assert terminal.purchase(card, 300, FIRST_PIN, now()).card_no == CARD
    report_temporary_loss(counter.town.hotline, uuid4(), card_no=CARD)
    terminal.purchase(card, 300, FIRST_PIN, now())  # nobody has told the terminal yet
    blacklist.take(pushed(counter.town), now())
    before = card.image
    with pytest.raises(CardListed, match="temporary loss"):
        terminal.purchase(card, 300, FIRST_PIN, now())
    assert card.image == before
    release_loss(counter.town.hotline, uuid4(), card_no=CARD)
    with pytest.raises(CardListed):
        terminal.purchase(card, 300, FIRST_PIN, now())
    blacklist.take(pushed(counter.town), now())
    assert terminal.purchase(card, 300, FIRST_PIN, now()).amount_fen == 300


def test_offline_purchases_that_nobody_told_of_are_a_case_at_the_next_counter(counter):
    card, blacklist = counter.funded(), terminal_blacklist()
    blacklist.take(pushed(counter.town), now())
    offline(blacklist).purchase(card, 300, FIRST_PIN, now())
    assert counter.outlet.read(card).open_cases == Facet.PURSE
    assert ChipCase.objects.get().more_fen == -300


def test_a_forged_a_stale_and_a_replayed_list_are_refused(counter):
    blacklist = terminal_blacklist()
    first = pushed(counter.town)
    blacklist.take(first, now())
    counter.active()
    report_temporary_loss(counter.town.hotline, uuid4(), card_no=CARD)
    second = pushed(counter.town)
    blacklist.take(second, now())
    for data, refusal in (
        (first, StaleList),
        (second, StaleList),
        (pushed(counter.town, key=Ed25519PrivateKey.generate()), ForgedList),
        (pushed(counter.town, terminal="990100000777"), StaleList),
    ):
        with pytest.raises(refusal):
            blacklist.take(data, now())
    with pytest.raises(StaleList, match="fetch a new one"):
        blacklist.take(pushed(counter.town, whole=True), now() + timedelta(days=8))
    assert set(blacklist.cards.values()) == {"temporary loss"}


def test_whoever_missed_a_list_takes_a_whole_one(counter):
    blacklist, missed = terminal_blacklist(), None
    counter.active()
    blacklist.take(pushed(counter.town), now())
    report_temporary_loss(counter.town.hotline, uuid4(), card_no=CARD)
    missed = pushed(counter.town)
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    with pytest.raises(StaleList, match="fetch a whole one"):
        blacklist.take(pushed(counter.town), now())
    blacklist.take(pushed(counter.town, whole=True), now())
    assert list(blacklist.cards.values()) == ["formal loss"]
    with pytest.raises(StaleList):
        blacklist.take(missed, now())


STEPS = {
    "temporary loss": lambda town, card: report_temporary_loss(town.hotline, uuid4(), card_no=card),
    "formal loss": lambda town, card: report_formal_loss(town.teller, uuid4(), card_no=card, document=shown()),
    "locked": lambda town, card: lock(town.clerk, uuid4(), card_no=card, reason=LockReason.COURT_ORDER),
    "death": lambda town, card: cancel(town.clerk, uuid4(), card_no=card, reason=CancelReason.DEATH),
    "cancelled": lambda town, card: cancel(town.clerk, uuid4(), card_no=card, reason=CancelReason.OTHER),
}


@pytest.mark.parametrize("cause", STEPS)
def test_each_end_of_a_cards_use_is_on_the_list(town, cause):
    card = town.active_card()
    assert listed(town) == []
    STEPS[cause](town, card)
    (row,) = listed(town)
    assert row.sequence > 0
    assert (row.card_no, row.cause) == (card, cause)


def test_numbers_rise_and_a_card_stands_there_once(town):
    card = town.active_card()
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    report_formal_loss(town.teller, uuid4(), card_no=card, document=shown())
    cancel(town.clerk, uuid4(), card_no=card, reason=CancelReason.LOST)
    other = town.active_card("990100002", "990101199003070025", "测试人乙")
    lock(town.clerk, uuid4(), card_no=other, reason=LockReason.OTHER)
    unlock(town.clerk, uuid4(), card_no=other)
    changes = list(BlacklistChange.objects.order_by("at").values_list("sequence", "card", "cause"))
    assert [change[1:] for change in changes] == [
        (card, "temporary loss"),
        (card, "formal loss"),
        (card, "cancelled"),
        (other, "locked"),
        (other, "unlocked"),
    ]
    numbers = [change[0] for change in changes]
    assert numbers == sorted(set(numbers))
    assert [row.cause for row in listed(town)] == ["cancelled"]


@pytest.mark.slow
def test_what_terminals_were_given_before_counts_by_the_new_numbers(lasting_town):
    town = lasting_town
    first, second = town.active_card(), town.active_card("990100002", "990101199003070025", "测试人乙")
    report_temporary_loss(town.hotline, uuid4(), card_no=first)
    pushed(town)
    number = BlacklistChange.objects.get().sequence
    MigrationExecutor(connection).migrate([("cms", "0013_misuse")])
    executor = MigrationExecutor(connection)
    before = executor.loader.project_state([("cms", "0013_misuse")]).apps
    of_card = {"region_id": "990100", "card_id": first, "at": timezone.now()}
    before.get_model("cms", "BlacklistChange").objects.create(
        id=number + 49, sequence=number + 1, cause="locked", **of_card
    )
    of_terminal = {"terminal_id": MODULE_TERMINAL, "operator": "clerk", "at": timezone.now()}
    before.get_model("cms", "BlacklistPush").objects.create(
        push_id=uuid4(), since=number, sequence=number + 1, **of_terminal
    )
    executor.migrate(executor.loader.graph.leaf_nodes())
    assert list(BlacklistPush.objects.order_by("at").values_list("sequence", flat=True))[-1] == number + 49
    with connection.cursor() as cursor:
        for line in connection.ops.sequence_reset_sql(no_style(), [BlacklistChange]):
            cursor.execute(line)
    report_temporary_loss(town.hotline, uuid4(), card_no=second)
    push = push_blacklist(town.clerk, uuid4(), terminal_no=MODULE_TERMINAL)
    assert push.since == number + 49 < push.sequence
    assert len(blacklist_of(UUID(push.push_id)).cards) == 1
    with pytest.raises(DatabaseError, match="append-only"):
        BlacklistChange.objects.all().delete()


def test_a_refused_step_lists_nobody(town):
    card = town.active_card()
    with pytest.raises(NotEligible):
        report_formal_loss(town.teller, uuid4(), card_no=card, document=shown("990101199003070025"))
    assert not BlacklistChange.objects.exists()


def test_a_whole_list_leaves_out_what_no_terminal_takes_any_more(town):
    card = town.active_card()
    cancel(town.clerk, uuid4(), card_no=card, reason=CancelReason.OTHER)
    push = push_blacklist(town.clerk, uuid4(), terminal_no=MODULE_TERMINAL, institution="PHARMACY-1")
    assert len(blacklist_of(UUID(push.push_id)).cards) == 1
    Card.objects.update(valid_until=datetime.now(UTC).date() - timedelta(days=1))
    assert not blacklist_of(UUID(push.push_id)).cards
    assert EXPIRES.year > 2030
    assert Card.objects.get().application == Application.CANCELLED


def test_who_may_push_and_to_which_terminal(town):
    for nobody in (town.teller, town.pharmacist, town.hotline, town.supervisor):
        with pytest.raises(NotAllowed):
            push_blacklist(nobody, uuid4(), terminal_no=MODULE_TERMINAL)
    with pytest.raises(NotFound, match="at which institution"):
        push_blacklist(town.clerk, uuid4(), terminal_no=MODULE_TERMINAL)
    push_blacklist(town.clerk, uuid4(), terminal_no=MODULE_TERMINAL, institution="PHARMACY-1")
    neighbour = neighbour_at(InstitutionKind.AUTHORITY)
    with pytest.raises(NotFound):
        push_blacklist(neighbour, uuid4(), terminal_no=MODULE_TERMINAL)
    with pytest.raises(NotEligible, match="is taken"):
        push_blacklist(neighbour, uuid4(), terminal_no=MODULE_TERMINAL, institution=neighbour.institution)
    (row,) = look_at_pushed_lists(town.clerk, uuid4(), region="990100")
    assert (row.terminal_no, row.institution, row.sequence) == (MODULE_TERMINAL, "PHARMACY-1", 0)


def test_nobody_takes_a_card_off_the_list_behind_our_back(town):
    card = town.active_card()
    report_temporary_loss(town.hotline, uuid4(), card_no=card)
    for tamper in (BlacklistChange.objects.all().delete, lambda: BlacklistChange.objects.update(cause="unlocked")):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            tamper()
