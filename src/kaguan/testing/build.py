"""Making what the fixtures give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kaguan.apdu.errors import NoCard, NoReader, RuleBroken
from kaguan.apdu.link import Link
from kaguan.apdu.trace import TraceEvent, traced
from kaguan.card_os.profile import CardProfile, load_profile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.emulator.imagefile import load_image
from kaguan.emulator.readers.reader import MISSING
from kaguan.emulator.stock import blank_chip
from kaguan.emulator.vpcd import InsertedCard
from kaguan.personalization.specimen import SERIAL, specimen_card
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.terminal.trace.files import microseconds
from kaguan.testing.backend import Backend
from kaguan.testing.card import CardUnderTest
from kaguan.testing.chance import Chance
from kaguan.testing.clock import Clock
from kaguan.testing.reader import PCSC_NOTICES_SECONDS


@dataclass(frozen=True, slots=True)
class Wish:
    """The card that a test wants: a specimen of the profile, unless it is blank or an image file."""

    profile: str = "ssc-v2"
    blank: bool = False
    image: Path | None = None
    seed: str = ""
    faults: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the card is put."""

    backend: Backend = Backend.EMULATOR
    reader: str = ""
    host: str = "127.0.0.1"
    port: int = field(default=35963)


@contextmanager
def card_under_test(wish: Wish, slot: Slot) -> Iterator[CardUnderTest]:
    """The card, powered, until the context ends.

    Raises:
        RuleBroken: a blank card is wanted from a real reader.
        LinkError: there is no such reader, or no card in it.
    """
    with ExitStack() as stack:
        clock, chance = Clock(), Chance(wish.seed)
        chance.deal(*wish.numbers)
        profile = load_profile(wish.profile)
        inner: Link
        if slot.backend is Backend.PCSC:
            if wish.blank or wish.image:
                raise RuleBroken("a real reader holds the card that lies in it: no blank card, and no image")
            inner = stack.enter_context(closing(open_reader(slot.reader)))
        else:
            inner = chip(wish, profile, chance)
        sleep = clock.advance if slot.backend is Backend.EMULATOR else None
        faulty = (Faults(seed=0, sleep=sleep) if sleep else Faults()).on(inner)
        events: list[TraceEvent] = []
        (observed,) = traced([faulty], events.append, clock if sleep else microseconds)
        card = CardUnderTest(observed, profile=profile, faulty=faulty, events=events, clock=clock, chance=chance)
        card.faults(*wish.faults)
        if slot.backend is Backend.VPCD:
            stack.enter_context(_in_virtual_reader(observed, slot))
            card.link = stack.enter_context(closing(open_reader(slot.reader)))
        yield card


@contextmanager
def _in_virtual_reader(card: Link, slot: Slot) -> Iterator[None]:
    """PC/SC sees the card, and sees it gone afterwards, so that the next test's card is not taken for this one.

    Raises:
        NoReader: no virtual reader listens there.
        NoCard: PC/SC does not see the card.
    """
    try:
        inserted = InsertedCard(card, host=slot.host, port=slot.port)
    except OSError:
        raise NoReader(MISSING.format(host=slot.host, port=slot.port)) from None
    try:
        if not wait_for_card(slot.reader, timeout_seconds=PCSC_NOTICES_SECONDS):
            raise NoCard(f"{slot.reader}: PC/SC saw no card within {PCSC_NOTICES_SECONDS:g} seconds")
        yield
    finally:
        inserted.pull_out()
        wait_for_removal(slot.reader, timeout_seconds=PCSC_NOTICES_SECONDS)


def chip(wish: Wish, profile: CardProfile, chance: Chance) -> EmulatedCard:
    """The emulated chip that is wished for."""
    if wish.image is not None:
        return EmulatedCard(load_image(wish.image), random=chance)
    if wish.blank:
        return EmulatedCard(blank_chip(profile, SERIAL), random=chance)
    return EmulatedCard(specimen_card(profile).image, random=chance)
