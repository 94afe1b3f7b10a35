"""Real chips in a real reader: the operator changes the card, the line waits for it."""

from __future__ import annotations

from kaguan.apdu.errors import KaguanError
from kaguan.apdu.link import Link
from kaguan.card_os.profile import CardProfile
from kaguan.personalization.recipe import ChipState, chip_state
from kaguan.terminal.conversations.identity import read_identity
from kaguan.terminal.layers import for_conversation
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.terminal.script import converse


class ReaderStock:
    """Blank chips that somebody puts into one PC/SC reader, one after another."""

    def __init__(self, profile: CardProfile, reader: str) -> None:
        self._profile = profile
        self._reader = reader

    def take(self, chip: int) -> Link:
        """The chip in the reader, once there is one; its serial number is its own, whatever `chip` says."""
        wait_for_card(self._reader)
        return for_conversation(open_reader(self._reader))

    def keep(self, link: Link, card_no: str) -> None:
        """The finished card has been taken out of the reader."""
        link.close()
        wait_for_removal(self._reader)

    def finished(self, card_no: str) -> Link | None:
        """The card in the reader when it is a finished card of this number: a run was killed after sealing it."""
        wait_for_card(self._reader)
        link = for_conversation(open_reader(self._reader))
        try:
            if converse(link, chip_state()) is ChipState.USED:
                link.reset()
                if converse(link, read_identity(self._profile)).card_no == card_no:
                    return link
        except KaguanError:
            pass  # whatever it is, it is not that card; `take` finds out more
        link.close()
        return None
