"""The reader that a test gets: cards go in and out while the program under test runs."""

from __future__ import annotations

from kaguan.apdu.errors import NoCard, NoReader
from kaguan.apdu.link import Link
from kaguan.emulator.readers.reader import MISSING
from kaguan.emulator.vpcd import InsertedCard
from kaguan.terminal.pcsc import open_reader, wait_for_card, wait_for_removal
from kaguan.testing.backend import Backend

PCSC_NOTICES_SECONDS = 10.0


class ReaderUnderTest:
    """A reader that begins empty. With the emulator it is in this process; with vpcd PC/SC programs see it by `name`;
    a real reader holds whatever card lies in it."""

    def __init__(self, backend: Backend, name: str, *, host: str, port: int) -> None:
        self.name = name
        self._backend = backend
        self._address = host, port
        self._inside: Link | None = None
        self._inserted: InsertedCard | None = None

    def insert(self, card: Link) -> None:
        """The card is in the reader, and PC/SC has noticed.

        Raises:
            NoReader: no virtual reader listens there.
            NoCard: PC/SC did not notice.
        """
        self.remove()
        if self._backend is Backend.VPCD:
            host, port = self._address
            try:
                self._inserted = InsertedCard(card, host=host, port=port)
            except OSError:
                raise NoReader(MISSING.format(host=host, port=port)) from None
            if not wait_for_card(self.name, timeout_seconds=PCSC_NOTICES_SECONDS):
                raise NoCard(f"{self.name}: PC/SC saw no card within {PCSC_NOTICES_SECONDS:g} seconds")
        card.reset()
        self._inside = card

    def remove(self) -> None:
        """The reader is empty, and PC/SC has noticed."""
        self._inside = None
        if self._inserted is not None:
            self._inserted.pull_out()
            self._inserted = None
            wait_for_removal(self.name, timeout_seconds=PCSC_NOTICES_SECONDS)

    def connect(self) -> Link:
        """A link to the card in the reader, as a program gets it.

        Raises:
            NoCard: the reader is empty.
            LinkError: as `open_reader`.
        """
        if self._backend is not Backend.EMULATOR:
            return open_reader(self.name)
        if self._inside is None:
            raise NoCard(f"{self.name} is empty")
        return self._inside
