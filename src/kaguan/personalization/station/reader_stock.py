"""Real chips in a real reader: the line says what it needs, somebody changes the card."""

from __future__ import annotations

from collections.abc import Callable

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.personalization.station.recipe import ChipState, chip_state
from kaguan.terminal.conversations.identity import read_issuer_data
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.terminal.script import converse

CARD_NO = 0x07
"""The card number's tag in SSSE EF05."""


class ReaderStock:
    """Blank chips that somebody puts into one PC/SC reader, one after another. `tell` says what to do."""

    def __init__(self, profile: CardProfile, reader: str, tell: Callable[[str], None]) -> None:
        self._profile = profile
        self._reader = reader
        self._tell = tell

    def take(self, chip: int) -> Link:
        """The chip in the reader, once there is a blank one, or one that a torn run left.

        Its serial number is its own, whatever `chip` says.
        """
        while True:
            link = self._inserted("put a blank chip into the reader")
            if converse(link, chip_state()) is not ChipState.USED:
                link.reset()
                return link
            self._let_go(link, "this chip is not blank stock, it may be somebody's card: take it out")

    def keep(self, link: Link, card_no: str) -> None:
        """The finished card has been taken out of the reader."""
        self._let_go(link, f"card {card_no} is finished: take it out")

    def discard(self, link: Link, card_no: str) -> None:
        """The bad card has been taken out of the reader."""
        self._let_go(link, f"card {card_no} has failed: take it out and scrap it")

    def finished(self, card_no: str) -> Link | None:
        """The card in the reader when it is a finished card of this number: a run was killed after sealing it."""
        link = self._inserted("put a chip into the reader")
        try:
            if converse(link, chip_state()) is ChipState.USED:
                link.reset()
                if converse(link, read_issuer_data(self._profile))[CARD_NO] == card_no:
                    return link
        except KaguanError:
            pass  # whatever it is, it is not that card; `take` finds out more
        link.close()
        return None

    def _inserted(self, wish: str) -> Link:
        if not wait_for_card(self._reader, timeout_seconds=0):
            self._tell(wish)
            wait_for_card(self._reader)
        return for_conversation(open_reader(self._reader))

    def _let_go(self, link: Link, wish: str) -> None:
        link.close()
        self._tell(wish)
        wait_for_removal(self._reader)
