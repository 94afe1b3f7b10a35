"""Every step at a counter that touches a chip, and a judge who looks into the chip's memory and into the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

from card.cards import PROFILE
from cms.counter import CARD, FIRST_PIN, NEW_PIN, SUCCESSOR, WRONG_PIN, Counter, drugs
from cms.test_outlet_tears import lost_and_blocked
from cms.town import shown
from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.card_os.image import CardImage, Lifecycle
from kaguan.cms.ledger.accounts import balance, purse_account
from kaguan.cms.ledger.proof import verify_books
from kaguan.cms.models import Activation, Card, ChipCase
from kaguan.cms.queries import open_reservations
from kaguan.cms.rules.lifecycle import Application, LockReason, Pin
from kaguan.cms.services.loss import report_formal_loss
from kaguan.emulator.card import EmulatedCard
from kaguan.terminal.conversations.insurance import read_insurances
from kaguan.terminal.refusals import PinRefused
from kaguan.terminal.script import converse

AMOUNT_FEN = 300


@dataclass(frozen=True)
class Step:
    """How the card comes to where the step begins, the step, and the instruction by which the chip does it."""

    prepare: Callable[[Counter], EmulatedCard]
    act: Callable[[Counter, Link, UUID], object]
    instruction: int
    card_no: str = CARD


def with_blocked_pin(counter: Counter) -> EmulatedCard:
    """A card in use whose PIN was wrong three times."""
    card = counter.active()
    for _ in range(3):
        with suppress(PinRefused):
            counter.outlet.verify_pin(card, uuid4(), WRONG_PIN)
    return card


def locked(counter: Counter) -> EmulatedCard:
    """A card with money that is locked in books and chip."""
    card = counter.funded()
    counter.at(counter.town.clerk).lock_card(card, uuid4(), LockReason.SUSPECTED_MISUSE)
    return card


def lost(counter: Counter) -> EmulatedCard:
    """A card with money that is formally lost and lies in the reader all the same."""
    card = counter.funded()
    report_formal_loss(counter.town.teller, uuid4(), card_no=CARD, document=shown())
    return card


def successor(counter: Counter) -> EmulatedCard:
    """The card in the place of a dead one whose purse was not empty."""
    lost_and_blocked(counter)
    return counter.active(SUCCESSOR)


STEPS = {
    "activate": Step(
        Counter.handed_over, lambda counter, link, asked: counter.outlet.activate(link, asked, shown()), 0xDC
    ),
    "load": Step(
        Counter.funded, lambda counter, link, asked: counter.outlet.load(link, asked, AMOUNT_FEN, FIRST_PIN), 0x52
    ),
    "purchase": Step(
        Counter.funded,
        lambda counter, link, asked: counter.pharmacy.purchase(link, asked, drugs(AMOUNT_FEN), FIRST_PIN),
        0x54,
    ),
    "change PIN": Step(
        Counter.active, lambda counter, link, asked: counter.pharmacy.change_pin(link, asked, FIRST_PIN, NEW_PIN), 0x5E
    ),
    "reset PIN": Step(
        with_blocked_pin, lambda counter, link, asked: counter.outlet.unblock_pin(link, asked, shown(), NEW_PIN), 0x24
    ),
    "restore PIN": Step(
        with_blocked_pin, lambda counter, link, asked: counter.outlet.restore_pin(link, asked, shown()), 0x24
    ),
    "lock": Step(
        Counter.funded,
        lambda counter, link, asked: counter.at(counter.town.clerk).lock_card(link, asked, LockReason.OTHER),
        0x1E,
    ),
    "unlock": Step(locked, lambda counter, link, asked: counter.at(counter.town.clerk).unlock_card(link, asked), 0x18),
    "block": Step(lost, lambda counter, link, asked: counter.outlet.block_card(link, asked), 0x16),
    "carry over": Step(
        successor, lambda counter, link, asked: counter.outlet.carry_over(link, asked, FIRST_PIN), 0x52, SUCCESSOR
    ),
}


@contextmanager
def tried() -> Iterator[None]:
    """What the books hear within is taken back at the end, so that the next attempt begins where this one did."""
    attempt = transaction.atomic()
    attempt._from_testcase = True  # use cases insist on being outermost, but for a test's own transaction
    with attempt:
        yield
        transaction.set_rollback(True)


def open_things(card_no: str = CARD) -> list[str]:
    """Everything that is openly unfinished or unexplained about the card."""
    return [
        *(f"case: {case.facet}" for case in ChipCase.objects.filter(card=card_no, state="open")),
        *(f"transfer: {row['kind']}" for row in open_reservations() if row["card_no"] == card_no),
        *(f"activation {begun.pk}" for begun in Activation.objects.filter(card=card_no, phase="open")),
    ]


def disagreements(counter: Counter, card: EmulatedCard, card_no: str = CARD) -> list[str]:
    """What chip and books tell differently, by the chip's memory and not by its answers, and by no code of ours that
    compares them."""
    image, known = card.image, Card.objects.get(pk=card_no)
    if image.lifecycle is Lifecycle.TERMINATED:
        return [] if known.chip_blocked_at else ["the chip is dead, and the books do not know"]
    (pin,) = image.pins.values()
    (purse,) = image.purses.values()
    found = []
    if known.chip_blocked_at:
        found.append("the books have the chip dead, and it lives")
    if purse.balance_fen != balance(purse_account(card_no)):
        found.append(f"the chip holds {purse.balance_fen} fen, the books {balance(purse_account(card_no))}")
    if known.pin != Pin.VOID and (pin.tries_left == 0) != (known.pin == Pin.BLOCKED):
        found.append(f"the chip has {pin.tries_left} tries, the books say {known.pin}")
    if known.pin == Pin.INITIAL and digits(image) != FIRST_PIN.reveal():
        found.append("the holder has chosen a PIN, and the books do not know")
    medical_locked = image.dedicated[PROFILE.path("DF04")].lifecycle is not Lifecycle.ACTIVATED
    if medical_locked and known.application == Application.NORMAL:
        found.append("the chip is locked, the card in use")
    if written(counter, card, card_no) is False:
        found.append("the record of the activation is not on the chip")
    return found


def digits(image: CardImage) -> bytes:
    """The PIN in the chip's memory."""
    (pin,) = image.pins.values()
    return pin.value


def written(counter: Counter, card: EmulatedCard, card_no: str) -> bool | None:
    """Whether the record of the newest activation with a reader is on the chip; None without one that is ended."""
    newest = Activation.objects.filter(card=card_no, chip_slot__gt=0).order_by("at").last()
    if newest is None or newest.phase == "open":
        return None
    twin = EmulatedCard(card.image)
    _, keys = counter.at(counter.town.teller).identify(twin)
    expected = newest.chip_after if newest.phase == "done" else newest.chip_before
    return converse(twin, read_insurances(keys))[newest.chip_slot - 1] == expected


def never_silent(counter: Counter, card: EmulatedCard, card_no: str = CARD) -> None:
    """Chip and books agree, or something is open; and the books are sound."""
    verify_books()
    found = disagreements(counter, card, card_no)
    assert not found or open_things(card_no), found


def ask_again(counter: Counter, step: Step, card: EmulatedCard, request_id: UUID) -> None:
    """The step was asked for once more under its id, by somebody who takes a refusal for an answer."""
    with suppress(KaguanError):
        step.act(counter, card, request_id)


def settled_at_last(counter: Counter, card: EmulatedCard, card_no: str = CARD) -> None:
    """Chip and books agree and nothing is open; only of a dead chip, which proves nothing, a case may wait."""
    never_silent(counter, card, card_no)
    if card.image.lifecycle is Lifecycle.TERMINATED:
        return
    assert not disagreements(counter, card, card_no)
    assert not open_things(card_no)
