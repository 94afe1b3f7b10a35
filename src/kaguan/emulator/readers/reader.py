"""A place that takes one card at a time, and that a card can be taken out of while programs use it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from enum import StrEnum
from threading import Thread

from kaguan.apdu.errors import KaguanError, NoReader
from kaguan.apdu.link import Link
from kaguan.emulator.vpcd import InsertedCard, serve

MISSING = (
    "no virtual reader listens at {host}:{port}: apt-get install pcscd vsmartcard-vpcd and start pcscd, or let "
    "'kaguan emulate --own-pcscd' start one; 'kaguan doctor' tells what this machine lacks"
)


NOTICING_SECONDS = 0.6
"""pcscd looks every 0.4 seconds: a card that is changed faster is for its programs still the old one."""


class State(StrEnum):
    """What a reader holds."""

    CARD = "card in"
    EMPTY = "empty"
    LOST = "connection lost"


class VirtualReader:
    """A slot of vpcd, the driver of virtual readers. `card` is what it holds, or will hold again."""

    def __init__(self, card: Link, title: str, *, host: str, port: int) -> None:
        self.card = card
        self.title = title
        self.address = host, port
        self._wanted = False
        self._inserted: InsertedCard | None = None

    @property
    def state(self) -> State:
        """Whether the card is in; lost, when it should be, but pcscd has hung up or the card has failed."""
        if not self._wanted:
            return State.EMPTY
        return State.CARD if self._inserted is not None and self._inserted.alive else State.LOST

    @property
    def failure(self) -> str:
        """What the card failed with; empty when it was pcscd that hung up."""
        return self._inserted.failure if self._inserted is not None else ""

    def insert(self, card: Link | None = None, title: str = "") -> None:
        """The card is in the reader: this one, or the one that was in before.

        Raises:
            NoReader: no virtual reader listens there.
        """
        swapped = card is not None or self._inserted is not None
        self.remove()
        if card is not None:
            self.card, self.title = card, title
        if swapped:
            time.sleep(NOTICING_SECONDS)
        self._connect()
        self._wanted = True

    def mend(self) -> bool:
        """Whether a card that was lost is in the reader again."""
        if self.state is not State.LOST:
            return False
        self._let_go()
        try:
            self._connect()
        except NoReader:
            return False
        return True

    def remove(self) -> None:
        """The reader is empty."""
        self._wanted = False
        self._let_go()

    def _connect(self) -> None:
        host, port = self.address
        try:
            self._inserted = InsertedCard(self.card, host=host, port=port)
        except OSError:
            raise NoReader(MISSING.format(host=host, port=port)) from None

    def _let_go(self) -> None:
        if self._inserted is not None:
            self._inserted.pull_out()
            self._inserted = None


class TcpReader:
    """A TCP port that speaks as vpcd does: two bytes of length and a command, answered alike; a message of one byte is
    power off (0), power on (1), reset (2) or asks for the ATR (4). One program at a time; each finds the card reset."""

    def __init__(self, card: Link, title: str, *, host: str, port: int) -> None:
        """The port is open.

        Raises:
            OSError: it is in use, or the host is not ours.
        """
        self.card = card
        self.title = title
        self._listener = socket.create_server((host, port))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self.failure = ""
        self._inside = True
        self._connection: socket.socket | None = None
        self._thread = Thread(target=self._accept, name=f"card on port {self.address[1]}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """Whether the card is in."""
        return State.CARD if self._inside else State.EMPTY

    def insert(self, card: Link | None = None, title: str = "") -> None:
        """The card is in: this one, or the one that was in before; who speaks to that one goes on."""
        if card is None and self._inside:
            return
        self.remove()
        if card is not None:
            self.card, self.title = card, title
        self._inside = True

    def remove(self) -> None:
        """The program that spoke to the card is cut off, and none gets through until a card is in."""
        self._inside = False
        self._hang_up()

    def mend(self) -> bool:
        """Nothing to be done: the port is always there."""
        return False

    def close(self) -> None:
        """The port is closed. Closing twice is harmless."""
        self.remove()
        with suppress(OSError):  # wakes the thread that waits for programs
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self._inside:
                connection.close()
                continue
            self._connection = connection
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.failure = ""
            try:
                self.card.reset()
                serve(self.card, connection)
            except (KaguanError, OSError) as error:  # a card that failed; the next program finds it reset
                self.failure = str(error)
                connection.close()
            self._connection = None

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
