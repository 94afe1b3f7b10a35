"""Real chips in a real reader: the station says what it needs, somebody changes the card."""

from __future__ import annotations

import time
from collections.abc import Callable

from kaguan.apdu.errors import NoCard
from kaguan.apdu.link import Link
from kaguan.personalization.station.stock import Leaving
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.terminal.reader_errors import CardInUse, CardMute

ASKING_SECONDS = 1.0
"""How often somebody who waits looks whether there is still something to wait for."""


class ReaderStock:
    """Chips that somebody puts into one PC/SC reader, one after another. `tell` says what to do; `leaving` says that
    the station is to end."""

    def __init__(self, reader: str, tell: Callable[[str], None], leaving: Callable[[], bool]) -> None:
        self._reader = reader
        self._speak = tell
        self._leaving = leaving

    def serial(self, chip: int) -> None:
        """Nobody knows which chip comes next."""

    def take(self, chip: int, waiting: Callable[[], None]) -> Link:
        """The chip in the reader, once there is one that answers. Its serial number is its own, whatever `chip` says.

        Raises:
            Leaving: the station is to end.
        """
        while True:
            self._wait_for_card(waiting)
            try:
                return for_conversation(open_reader(self._reader))
            except CardMute:
                self._let_go("this chip does not answer: turn it round, or scrap it: take it out")
            except CardInUse:
                self._tell("another program uses this card: end that program")
                self._pause(waiting)
            except NoCard:
                pass  # it was pulled out again

    def turn_away(self, link: Link, reason: str) -> None:
        """The chip has been taken out of the reader."""
        self._set_down(link, f"put it into the reject bin, it may be somebody's card ({reason}): take it out")

    def set_aside(self, link: Link, reason: str) -> None:
        """The chip has been taken out of the reader."""
        self._set_down(link, f"set it aside ({reason}): take it out")

    def put_back(self, link: Link) -> None:
        """The chip stays in the reader."""
        link.close()

    def keep(self, link: Link, card_no: str) -> None:
        """Nothing is to be done: a real card keeps itself."""

    def hand_out(self, link: Link, card_no: str) -> None:
        """The finished card has been taken out of the reader."""
        self._set_down(link, f"card {card_no} is finished: take it out")

    def discard(self, link: Link, card_no: str) -> None:
        """The bad card has been taken out of the reader."""
        self._set_down(link, f"card {card_no} has failed: put it into the reject bin: take it out")

    def stored(self, card_no: str) -> None:
        """Whoever has the card puts it into the reader, and it says itself what it is."""

    def _wait_for_card(self, waiting: Callable[[], None]) -> None:
        if wait_for_card(self._reader, timeout_seconds=0):
            return
        self._tell("put a blank chip in")
        while not wait_for_card(self._reader, timeout_seconds=ASKING_SECONDS):
            self._ask(waiting)

    def _set_down(self, link: Link, wish: str) -> None:
        link.close()
        self._let_go(wish)

    def _let_go(self, wish: str) -> None:
        self._tell(wish)
        while not wait_for_removal(self._reader, timeout_seconds=ASKING_SECONDS):
            self._ask(lambda: None)

    def _tell(self, wish: str) -> None:
        self._speak(f"reader {self._reader}: {wish}")

    def _pause(self, waiting: Callable[[], None]) -> None:
        self._ask(waiting)
        time.sleep(ASKING_SECONDS)

    def _ask(self, waiting: Callable[[], None]) -> None:
        if self._leaving():
            raise Leaving("the station was told to end")
        waiting()
