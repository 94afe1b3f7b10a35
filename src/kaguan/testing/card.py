"""The card that a test gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kaguan.apdu.chaining import Layer
from kaguan.apdu.command import CommandApdu
from kaguan.apdu.response import ResponseApdu
from kaguan.apdu.trace import TraceEvent
from kaguan.card_os.image import CardImage
from kaguan.card_os.profile import CardProfile
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Fault, FaultyCard
from kaguan.emulator.imageview import differences
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.trace import Narrator
from kaguan.testing.chance import Chance
from kaguan.testing.changes import Changes
from kaguan.testing.clock import Clock


class Snapshot(NamedTuple):
    """A card's memory at some moment."""

    image: CardImage

    def __repr__(self) -> str:
        """The profile alone: the image has keys."""
        return f"<snapshot of a {self.image.profile} card>"


class NotEmulated(TypeError):
    """The card lies in a real reader: its memory cannot be looked into."""


class CardUnderTest(Layer):
    """A card, as a link, with what tests want besides.

    `transceive` and `reset` are what the wire carries; `send` fetches whole answers. `clock` and `random` are the
    test's own, on emulated cards.
    """

    def __init__(
        self,
        link: Layer,
        *,
        profile: CardProfile,
        faulty: FaultyCard,
        events: list[TraceEvent],
        clock: Clock,
        chance: Chance,
    ) -> None:
        super().__init__(link)
        self.profile = profile
        self.events = events
        self.clock = clock
        self.random = chance
        self._faulty = faulty
        self._emulated = faulty.link if isinstance(faulty.link, EmulatedCard) else None
        self._before = self.snapshot() if self._emulated else None

    def send(self, command: bytes | str | CommandApdu, *, follow: bool = True) -> ResponseApdu:
        """The response to this command (hex or bytes): after 61xx and 6Cxx the whole one, unless `follow` is false."""
        raw = bytes.fromhex(command) if isinstance(command, str) else bytes(command)
        link = for_conversation(self.link) if follow else self.link
        return ResponseApdu.parse(link.transceive(raw))

    def faults(self, *faults: Fault | str) -> None:
        """The card has these faults from now on, in the notation of `kaguan.emulator.faults`."""
        self._faulty.put_in(*(Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults))

    @property
    def struck(self) -> list[str]:
        """The faults that have struck."""
        return self._faulty.struck

    @property
    def image(self) -> CardImage:
        """The memory as it is.

        Raises:
            NotEmulated: the card is a real one.
        """
        return self._chip.image

    def snapshot(self) -> Snapshot:
        """The memory now; `changed_only` compares with the last one.

        Raises:
            NotEmulated: the card is a real one.
        """
        self._before = Snapshot(self._chip.image)
        return self._before

    def restore(self, snapshot: Snapshot) -> None:
        """The memory is what it was, and the card has been reset.

        Raises:
            NotEmulated: the card is a real one.
        """
        self._chip.nvm.image = snapshot.image
        self._before = snapshot
        self.reset()

    def changed_only(self, *places: str) -> Changes:
        """True when each of these places has changed since the last snapshot, or the beginning, and nothing else has.

        A place is a file (`DF04/EF08`), an application (`DF04`), or one of `pins/`, `purses/`, `keys/`, `files/` and a
        path, as `kaguan card diff` prints them. Without places: nothing has changed.

        Raises:
            NotEmulated: the card is a real one.
        """
        before = self._before or self.snapshot()
        return Changes(differences(before.image, self._chip.image), places)

    def trace(self) -> Iterator[str]:
        """What was said so far, decoded, a line each."""
        narrator = Narrator(self.profile)
        for event in self.events:
            yield from narrator.lines(event)

    @property
    def _chip(self) -> EmulatedCard:
        if self._emulated is None:
            raise NotEmulated("the card lies in a real reader: its memory cannot be looked into")
        return self._emulated
