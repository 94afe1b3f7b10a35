"""Programs written for pyscard, on an emulated card."""

from __future__ import annotations

import pytest

from card.cards import SELECT_SSSE, SSSE_NAME, specimen
from kaguan.emulator.card import EmulatedCard

pytest.importorskip("smartcard", reason="pyscard is not installed: scripts/install-pyscard")

from smartcard.CardConnection import CardConnection
from smartcard.CardConnectionDecorator import CardConnectionDecorator
from smartcard.CardConnectionObserver import CardConnectionObserver, ConsoleCardConnectionObserver
from smartcard.Exceptions import CardConnectionException
from smartcard.sw.ErrorCheckingChain import ErrorCheckingChain
from smartcard.sw.ISO7816_4ErrorChecker import ISO7816_4ErrorChecker
from smartcard.sw.SWExceptions import CheckingErrorException
from smartcard.util import toBytes, toHexString

from kaguan.emulator.pyscard_link import EmulatedConnection, EmulatedReader


class Listener(CardConnectionObserver):
    """Keeps the events of a connection."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []

    def update(self, cardconnection, cardconnectionevent) -> None:
        self.heard.append((cardconnectionevent.type, cardconnectionevent.args))


@pytest.fixture
def connection() -> CardConnectionDecorator:
    return EmulatedReader(EmulatedCard(specimen())).createConnection()


def read_card_number(connection: CardConnection) -> str:
    """A program as pyscard's users write them: its own GET RESPONSE, status bytes compared one by one."""
    connection.connect()
    _, sw1, sw2 = connection.transmit(toBytes(SELECT_SSSE))
    assert sw1 == 0x61
    fci, sw1, sw2 = connection.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
    assert (sw1, sw2) == (0x90, 0x00)
    assert SSSE_NAME in toHexString(fci, 1)
    _, sw1, sw2 = connection.transmit(toBytes("00A4000002EF05"))
    assert (sw1, sw2) == (0x90, 0x00)
    record, sw1, sw2 = connection.transmit(toBytes("00B207000B"))
    connection.disconnect()
    return bytes(record[2:]).decode("ascii")


def test_a_pyscard_program_runs(connection: CardConnectionDecorator) -> None:
    assert read_card_number(connection) == "A00000011"


def test_observers_hear_everything(connection: CardConnectionDecorator) -> None:
    listener = Listener()
    connection.addObserver(listener)
    read_card_number(connection)
    assert [kind for kind, _ in listener.heard] == ["connect", *["command", "response"] * 4, "disconnect"]
    assert listener.heard[2] == ("response", [[], 0x61, 0x18])


def test_the_console_observer_prints_the_exchange(connection: CardConnectionDecorator, capsys) -> None:
    connection.addObserver(ConsoleCardConnectionObserver())
    read_card_number(connection)
    printed = capsys.readouterr().out
    assert "connecting to Kaguan" in printed
    assert "00 B2 07 00 0B" in printed


def test_an_error_checking_chain_judges_the_answers(connection: CardConnectionDecorator) -> None:
    connection.setErrorCheckingChain([ErrorCheckingChain([], ISO7816_4ErrorChecker())])
    connection.connect()
    with pytest.raises(CheckingErrorException):
        connection.transmit(toBytes("00A4040002AABB"))


def test_the_atr_and_the_protocol_are_the_cards(connection: CardConnectionDecorator) -> None:
    connection.connect()
    assert bytes(connection.getATR()) == specimen().atr
    assert connection.getProtocol() == CardConnection.T0_protocol
    assert connection.getReader() == "Kaguan"


@pytest.mark.parametrize("again", ["connect", "reconnect"])
def test_a_new_connection_knows_nothing_of_the_old_session(connection: CardConnectionDecorator, again: str) -> None:
    connection.connect()
    connection.transmit(toBytes(SELECT_SSSE))
    connection.transmit(toBytes("00A4000002EF05"))
    getattr(connection, again)()
    assert connection.transmit(toBytes("00B207000B")) == ([], 0x69, 0x86)


def test_without_a_connection_nothing_is_sent() -> None:
    connection = EmulatedConnection(EmulatedCard(specimen()))
    for forbidden in (connection.getATR, connection.reconnect, lambda: connection.transmit([0, 0x84, 0, 0, 8])):
        with pytest.raises(CardConnectionException, match="not connected"):
            forbidden()


def test_another_protocol_than_t0_is_refused(connection: CardConnectionDecorator) -> None:
    with pytest.raises(CardConnectionException, match="T=0"):
        connection.connect(CardConnection.T1_protocol)


def test_a_card_that_loses_its_power_is_a_broken_connection() -> None:
    card = EmulatedCard(specimen())
    connection = EmulatedConnection(card)
    connection.connect()
    connection.transmit(toBytes(SELECT_SSSE))
    card.power.cut_after(0)
    with pytest.raises(CardConnectionException, match="VERIFY"):
        connection.transmit(toBytes("0020000003123456"))
    card.power.restore()
    connection.connect()
    assert connection.transmit(toBytes(SELECT_SSSE))[1] == 0x61
