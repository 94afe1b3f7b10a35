"""Emulated cards for programs that were written for pyscard: its connection and its reader, without PC/SC.

    connection = EmulatedReader(card).createConnection()
    connection.connect()
    data, sw1, sw2 = connection.transmit([0x00, 0x84, 0x00, 0x00, 0x08])

The card answers as on T=0: 61xx and 6Cxx reach the program. Names are pyscard's own, so that nothing in the program
changes but where its reader comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.Exceptions import CardConnectionException
from smartcard.reader.Reader import Reader

from kaguan.apdu.errors import LinkError
from kaguan.apdu.link import Link

READER_NAME = "Kaguan"


class EmulatedReader(Reader):  # type: ignore[misc]  # pyscard has no types
    """A reader with this card in it."""

    def __init__(self, card: Link, name: str = READER_NAME) -> None:
        super().__init__(name)
        self._card = card

    def createConnection(self) -> CardConnectionDecorator:  # noqa: N802
        """A connection to the card, wrapped as pyscard wraps those of its own readers."""
        return CardConnectionDecorator(EmulatedConnection(self._card, self.name))


class EmulatedConnection(CardConnection):  # type: ignore[misc]  # pyscard has no types
    """A connection to this card. It powers the card, but the card stays its owner's: disconnecting closes no file."""

    def __init__(self, card: Link, reader: str = READER_NAME) -> None:
        super().__init__(reader)
        self._card = card
        self._connected = False

    def connect(self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None) -> None:
        """The card is powered, without a session, and speaks T=0.

        Raises:
            CardConnectionException: the protocols wanted are without T=0, or the card has no power.
        """
        super().connect(protocol, mode, disposition)
        self._power_up(protocol)

    def reconnect(self, protocol: int | None = None, mode: int | None = None, disposition: int | None = None) -> None:
        """The card has forgotten its session.

        Raises:
            CardConnectionException: as `connect`, or there was no connection.
        """
        self._require_connection()
        super().reconnect(protocol, mode, disposition)
        self._power_up(protocol)

    def disconnect(self) -> None:
        """The connection is over; the next one finds the card without a session."""
        if self._connected:
            self._connected = False
            super().disconnect()

    def getATR(self) -> list[int]:  # noqa: N802
        """The answer to the last reset.

        Raises:
            CardConnectionException: not connected.
        """
        self._require_connection()
        return list(self._card.atr)

    def doTransmit(self, command: Sequence[int], protocol: int | None = None) -> tuple[list[int], int, int]:  # noqa: N802
        """The card's answer: data, SW1, SW2.

        Raises:
            CardConnectionException: not connected, another protocol than T=0, or the card was lost.
        """
        self._require_connection()
        self._require_t0(protocol)
        try:
            answer = self._card.transceive(bytes(command))
        except LinkError as error:
            raise CardConnectionException(str(error)) from error
        return list(answer[:-2]), answer[-2], answer[-1]

    def _power_up(self, protocol: int | None) -> None:
        self._require_t0(protocol)
        try:
            self._card.reset()
        except LinkError as error:
            raise CardConnectionException(str(error)) from error
        self._connected = True
        self.setProtocol(self.T0_protocol)

    def _require_t0(self, protocol: int | None) -> None:
        if protocol is not None and not protocol & self.T0_protocol:
            raise CardConnectionException("the card speaks T=0 alone")

    def _require_connection(self) -> None:
        if not self._connected:
            raise CardConnectionException("Card not connected")
