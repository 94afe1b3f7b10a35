"""An emulated card in a virtual reader: the client's side of the vpcd protocol of vsmartcard.

Every message is two bytes of length, most significant first, and so many bytes. One byte is a control: 0 power off,
1 power on, 2 reset, 4 asks for the ATR. Anything longer is a command APDU. Only the ATR and APDUs are answered.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from threading import Thread
from typing import Final

from kaguan.apdu.errors import CardLost, KaguanError
from kaguan.apdu.link import Link

DEFAULT_PORT = 35963

_SESSION_ENDS: Final = frozenset({b"\0", b"\1", b"\2"})
"""Power off, power on, reset: a card that was on is off in between."""

_POWER_OFF: Final = b"\0"

_SEND_ATR: Final = b"\4"

_SILENCE: Final = b"\0"
"""Too short for a status word, so that programs see a card that failed; vpcd waits for ever after an empty message."""

# Linux alone has it; where it is missing the kernel's own choice stands.
_QUICK_ACKNOWLEDGE: Final = getattr(socket, "TCP_QUICKACK", None)


class InsertedCard:
    """A card that a thread of its own keeps in a virtual reader, from the start to `pull_out`."""

    def __init__(self, card: Link, *, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
        """The card is in the reader; PC/SC notices within half a second.

        Raises:
            OSError: no virtual reader listens there.
        """
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._failure: KaguanError | OSError | None = None
        self._thread = Thread(target=self._serve, args=(card,), name="card in a virtual reader", daemon=True)
        self._thread.start()

    def pull_out(self) -> None:
        """The card is out of the reader; PC/SC notices within half a second. Pulling twice is harmless."""
        with suppress(OSError):  # the reader may have hung up before
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def wait(self) -> None:
        """The reader has let the card go.

        Raises:
            KaguanError, OSError: what the card failed with.
        """
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    @property
    def alive(self) -> bool:
        """The reader has not hung up, and the card has not failed."""
        return self._thread.is_alive()

    @property
    def failure(self) -> str:
        """What the card failed with, empty while it has not."""
        return "" if self._failure is None else str(self._failure)

    def __enter__(self) -> InsertedCard:
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_out()

    def _serve(self, card: Link) -> None:
        try:
            serve(card, self._socket)
        except (KaguanError, OSError) as error:  # of the system: no room for its trace
            self._failure = error


def serve(card: Link, connection: socket.socket) -> None:
    """The card has answered all that came, until the reader hung up.

    A card that lost its power, or was told that it is off, stays in the reader, mute until it is reset.

    Raises:
        KaguanError, OSError: the card failed in another way; the reader sees it pulled out.
    """
    with closing(connection), suppress(ConnectionError):
        powered = True
        while (message := _receive(connection)) is not None:
            if message in _SESSION_ENDS:
                powered = message != _POWER_OFF
            answer = _answer(card, message) if powered or len(message) == 1 else _SILENCE
            if answer is not None:
                connection.sendall(len(answer).to_bytes(2, "big") + answer)


def _answer(card: Link, message: bytes) -> bytes | None:
    if len(message) > 1:
        try:
            return card.transceive(message)
        except CardLost:
            return _SILENCE
    if message in _SESSION_ENDS:
        with suppress(CardLost):  # still without power, so still mute
            card.reset()
    return card.atr if message == _SEND_ATR else None


def _receive(connection: socket.socket) -> bytes | None:
    """The next message; None when the reader has hung up."""
    head = _exactly(connection, 2)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        # vpcd writes the length and the bytes apart and lets Nagle hold the second until the first is acknowledged;
        # the kernel forgets this option, so it is set again each time. Without it a command takes 44 ms, not 0.1.
        if _QUICK_ACKNOWLEDGE is not None:
            connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGE, 1)
        data += part
    return data
