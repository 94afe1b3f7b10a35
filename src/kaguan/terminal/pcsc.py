"""Cards in real readers, through PC/SC.

Law 1. The card is ours alone while the link is open, and begins without anybody's session.
Law 2. Bytes go out and come back as they are: 61xx and 6Cxx are for the layers above.
Law 3. A command without an answer is a lost card, a lost reader or a lost service, and the error says during which
command: nobody knows what the card did.

pyscard is imported when a reader is first wanted, so that everything else works without it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum
from typing import Any

from kaguan.apdu.errors import CardLost, LinkError, NoCard, NoReader
from kaguan.apdu.instruction import instruction_of
from kaguan.terminal.reader_errors import (
    CardInUse,
    CardMute,
    CardPulledOut,
    CardResetElsewhere,
    CardSilent,
    ReaderUnplugged,
    ServiceGone,
)

LISTENING_MILLISECONDS = 300
"""How long one wait for a card lasts before Python can hear Ctrl-C."""

NOTICING_MILLISECONDS = 1500
"""How long the service may take to see that the card, or the reader, of a failed command has gone."""

WITHOUT_PYSCARD = (
    "card readers need pyscard, which is not installed: apt-get install pcscd libpcsclite-dev python3-dev gcc, "
    "then pip install 'kaguan[pcsc]'"
)


class TransmissionProtocol(Enum):
    """How bytes travel between reader and card (ISO/IEC 7816-3)."""

    T0 = "T=0"
    T1 = "T=1"


def reader_names() -> list[str]:
    """The connected readers, as PC/SC numbers them from 0.

    Raises:
        NoReader: pyscard or the PC/SC service is missing.
    """
    with Context() as context:
        return context.reader_names()


def open_reader(reader: str) -> PcscLink:
    """A link to the card in the reader with this number, this name, or the only one with this in its name.

    Raises:
        NoReader: none or several are meant, and the text lists those there are; ServiceGone: there is no service.
        NoCard: the reader is empty.
        CardMute: the card does not answer a reset.
        CardInUse: another program holds it.
    """
    context = Context()
    try:
        return PcscLink(context, context.find(reader))
    except BaseException:
        context.close()
        raise


def wait_for_card(reader: str, *, timeout_seconds: float | None = None) -> bool:
    """True as soon as a card is in the reader, False when none came in time; None waits for ever.

    Raises:
        NoReader: as `open_reader`, or the reader was unplugged.
    """
    return _wait(reader, timeout_seconds, with_card=True)


def wait_for_removal(reader: str, *, timeout_seconds: float | None = None) -> bool:
    """True as soon as the reader is empty, False when its card stayed too long; None waits for ever.

    Raises:
        NoReader: as `open_reader`, or the reader was unplugged.
    """
    return _wait(reader, timeout_seconds, with_card=False)


class PcscLink:
    """The card in a reader. Made by `open_reader`; close it to free the reader."""

    def __init__(self, context: Context, reader: str) -> None:
        self.reader = reader
        self._context = context
        self._scard = scard = context.scard
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, self._card, protocol = scard.SCardConnect(context.handle, reader, scard.SCARD_SHARE_EXCLUSIVE, either)
        if code != scard.SCARD_S_SUCCESS:
            raise context.complaint(code, reader)
        self._connected = True
        try:
            self._use(protocol)
            self.reset()
        except BaseException:
            self.close()
            raise

    @property
    def atr(self) -> bytes:
        """The answer to the last reset."""
        return self._atr

    @property
    def protocol(self) -> TransmissionProtocol:
        """What reader and card agreed on."""
        return self._protocol

    def transceive(self, command: bytes) -> bytes:
        """The bytes that the card answers.

        Raises:
            CardLost: CardPulledOut, CardSilent or CardResetElsewhere; what it did is unknown.
            NoReader: ReaderUnplugged or ServiceGone; the same.
        """
        scard = self._scard
        if not self._connected:
            raise CardLost("a command on a closed link")
        code, answer = scard.SCardTransmit(self._card, self._header, list(command))
        if code != scard.SCARD_S_SUCCESS:
            raise self._loss(code, _name(command))
        if len(answer) < 2:
            raise self._loss(scard.SCARD_E_NOT_TRANSACTED, _name(command))
        return bytes(answer)

    def reset(self) -> bytes:
        """The card has forgotten its session; its ATR.

        Raises:
            NoCard, NoReader: it is gone.
            LinkError: it does not answer.
        """
        scard = self._scard
        if not self._connected:
            raise CardLost("a reset on a closed link")
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, protocol = scard.SCardReconnect(self._card, scard.SCARD_SHARE_EXCLUSIVE, either, scard.SCARD_RESET_CARD)
        if code == scard.SCARD_S_SUCCESS:
            self._use(protocol)
            code, _, _, _, atr = scard.SCardStatus(self._card)
        if code != scard.SCARD_S_SUCCESS:
            raise self._context.complaint(code, self.reader)
        self._atr = bytes(atr)
        return self._atr

    def close(self) -> None:
        """The card has no power and the reader is free. Closing twice is harmless."""
        if self._connected:
            self._connected = False
            self._scard.SCardDisconnect(self._card, self._scard.SCARD_UNPOWER_CARD)
        self._context.close()

    def _loss(self, code: int, during: str) -> LinkError:
        """What became of the card while this command was under way."""
        scard = self._scard
        if code == scard.SCARD_W_RESET_CARD:
            return CardResetElsewhere(self.reader, during)
        try:
            there = self._context.still_has_card(self.reader)
        except ServiceGone:
            return ServiceGone(during)
        except NoReader:
            return ReaderUnplugged(self.reader, during)
        return CardSilent(self.reader, during) if there else CardPulledOut(self.reader, during)

    def _use(self, protocol: int) -> None:
        scard = self._scard
        t1 = protocol == scard.SCARD_PROTOCOL_T1
        self._protocol = TransmissionProtocol.T1 if t1 else TransmissionProtocol.T0
        self._header = scard.SCARD_PCI_T1 if t1 else scard.SCARD_PCI_T0


class Context:
    """A conversation with the PC/SC service."""

    def __init__(self) -> None:
        self.scard = _pyscard()
        code, self.handle = self.scard.SCardEstablishContext(self.scard.SCARD_SCOPE_USER)
        self._open = code == self.scard.SCARD_S_SUCCESS
        if not self._open:
            raise self.complaint(code, "")

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The service has forgotten us. Closing twice is harmless."""
        if self._open:
            self._open = False
            self.scard.SCardReleaseContext(self.handle)

    def reader_names(self) -> list[str]:
        """The connected readers."""
        code, names = self.scard.SCardListReaders(self.handle, [])
        if code == self.scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if code != self.scard.SCARD_S_SUCCESS:
            raise self.complaint(code, "")
        return list(names)

    def find(self, wanted: str) -> str:
        """The full name of the reader that is meant."""
        names = self.reader_names()
        if wanted in names:
            return wanted
        if wanted.isascii() and wanted.isdigit():
            found = names[int(wanted) : int(wanted) + 1]
        else:
            found = [name for name in names if wanted.casefold() in name.casefold()]
        if len(found) == 1:
            return found[0]
        listed = "; ".join(f"{number} {name}" for number, name in enumerate(names)) or "none"
        count = "no reader is" if not found else f"{len(found)} readers are"
        raise NoReader(f"{count} meant by '{wanted}'; connected: {listed}")

    def changes(
        self, readers: Sequence[tuple[str, int]], timeout_milliseconds: int
    ) -> list[tuple[str, int, bytes]] | None:
        """Name, state and ATR of each reader as soon as one is not in the state named; None when all stayed so.

        Raises:
            ServiceGone, ReaderUnplugged: it is gone.
        """
        scard = self.scard
        code, states = scard.SCardGetStatusChange(self.handle, timeout_milliseconds, list(readers))
        if code == scard.SCARD_E_TIMEOUT:
            return None
        if code != scard.SCARD_S_SUCCESS:
            raise self.complaint(code, readers[0][0] if len(readers) == 1 else "")
        return [(name, state, bytes(atr)) for name, state, atr in states]

    def has_card(self, reader: str, before: int, timeout_milliseconds: int) -> tuple[bool, int]:
        """Whether a card is in the reader, and its state for the next call, which waits until that changes."""
        scard = self.scard
        found = self.changes([(reader, before)], timeout_milliseconds)
        state = before if found is None else found[0][1]
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise ReaderUnplugged(reader)
        return bool(state & scard.SCARD_STATE_PRESENT), state

    def still_has_card(self, reader: str) -> bool:
        """Whether the reader's card is there; the service is given a moment to see that it, or the reader, is not.

        Raises:
            ServiceGone, ReaderUnplugged: it is gone.
        """
        there, state = self.has_card(reader, self.scard.SCARD_STATE_UNAWARE, 0)
        give_up = time.monotonic() + NOTICING_MILLISECONDS / 1000
        while there and (left := int((give_up - time.monotonic()) * 1000)) > 0:
            there, state = self.has_card(reader, state, left)
        return there

    def complaint(self, code: int, reader: str) -> LinkError:
        """What this answer of the service means to a user."""
        scard = self.scard
        if code in self._service_gone:
            return ServiceGone()
        if code in (scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE):
            return ReaderUnplugged(reader)
        if code in (scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD):
            return NoCard(f"reader '{reader}' is empty: put a card in")
        if code == scard.SCARD_E_SHARING_VIOLATION:
            return CardInUse(reader)
        if code in (scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_W_UNPOWERED_CARD, scard.SCARD_E_PROTO_MISMATCH):
            return CardMute(reader)
        if not self._service_answers():  # one that is killed leaves all kinds of codes behind
            return ServiceGone()
        return LinkError(f"reader '{reader}': {scard.SCardGetErrorMessage(code)}")

    def _service_answers(self) -> bool:
        code, another = self.scard.SCardEstablishContext(self.scard.SCARD_SCOPE_USER)
        if code == self.scard.SCARD_S_SUCCESS:
            self.scard.SCardReleaseContext(another)
        return bool(code == self.scard.SCARD_S_SUCCESS)

    @property
    def _service_gone(self) -> tuple[int, ...]:
        """A service that ends while it is asked leaves a handle that nobody knows, or a broken connection."""
        scard = self.scard
        return (
            scard.SCARD_E_NO_SERVICE,
            scard.SCARD_E_SERVICE_STOPPED,
            scard.SCARD_F_COMM_ERROR,
            scard.SCARD_E_INVALID_HANDLE,
        )


def _wait(reader: str, timeout_seconds: float | None, *, with_card: bool) -> bool:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with Context() as context:
        name = context.find(reader)
        there, state = context.has_card(name, context.scard.SCARD_STATE_UNAWARE, 0)
        while there != with_card:
            left = LISTENING_MILLISECONDS
            if deadline is not None:
                left = min(left, int((deadline - time.monotonic()) * 1000))
                if left <= 0:
                    return False
            there, state = context.has_card(name, state, left)
        return True


def _name(command: bytes) -> str:
    row = instruction_of(*command[:3]) if len(command) > 3 else None
    return row.name if row else "a command"


def _pyscard() -> Any:
    try:
        from smartcard import scard  # noqa: PLC0415 - the extra may be missing
    except ImportError:
        raise NoReader(WITHOUT_PYSCARD) from None
    return scard
