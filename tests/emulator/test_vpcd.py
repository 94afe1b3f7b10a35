"""The card's side of the vpcd protocol, over a pair of sockets instead of a reader."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.cards import SELECT_SSSE, specimen
from kaguan.apdu.errors import InputError
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.luck import DealtRandom
from kaguan.emulator.vpcd import InsertedCard, serve

POWER_OFF, POWER_ON, RESET, SEND_ATR = b"\0", b"\1", b"\2", b"\4"
SECONDS = 5


class Reader:
    """The reader's end."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        self.connection = connection

    def tell(self, message: bytes) -> None:
        self.connection.sendall(len(message).to_bytes(2, "big") + message)

    def ask(self, message: bytes) -> bytes:
        self.tell(message)
        return self.receive()

    def receive(self) -> bytes:
        return self._exactly(int.from_bytes(self._exactly(2), "big"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            assert part, "the card hung up"
            data += part
        return data


@pytest.fixture
def card() -> EmulatedCard:
    return EmulatedCard(specimen())


@pytest.fixture
def reader(card: EmulatedCard) -> Iterator[Reader]:
    ours, theirs = _connected()
    thread = Thread(target=serve, args=(card, theirs))
    thread.start()
    with closing(ours):
        yield Reader(ours)
    thread.join(SECONDS)
    assert not thread.is_alive()


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        return ours, theirs


def test_the_atr_comes_when_asked_for(reader: Reader) -> None:
    assert reader.ask(SEND_ATR) == specimen().atr


@pytest.mark.parametrize("control", [POWER_OFF, POWER_ON, RESET])
def test_every_change_of_power_ends_the_session_and_is_not_answered(reader: Reader, control: bytes) -> None:
    assert reader.ask(bytes.fromhex(SELECT_SSSE)) == bytes.fromhex("6118")
    assert reader.ask(bytes.fromhex("00A4000002EF05")) == bytes.fromhex("9000")
    reader.tell(control)
    if control == POWER_OFF:
        assert reader.ask(bytes.fromhex("00B207000B")) == b"\0", "no card answers without power"
        reader.tell(POWER_ON)
    assert reader.ask(bytes.fromhex("00B207000B")) == bytes.fromhex("6986")


def test_messages_may_come_in_pieces(reader: Reader) -> None:
    command = bytes.fromhex(SELECT_SSSE)
    for byte in len(command).to_bytes(2, "big") + command:
        reader.connection.sendall(bytes((byte,)))
    assert reader.receive() == bytes.fromhex("6118")


@given(st.lists(st.binary(min_size=2, max_size=300), max_size=20))
def test_every_command_gets_an_answer(commands: list[bytes]) -> None:
    ours, theirs = _connected()
    thread = Thread(target=serve, args=(EmulatedCard(specimen()), theirs))
    thread.start()
    with closing(ours):
        reader = Reader(ours)
        assert all(len(reader.ask(command)) >= 2 for command in commands)
    thread.join(SECONDS)


def test_a_card_without_power_is_mute_until_it_is_reset(card: EmulatedCard, reader: Reader) -> None:
    reader.ask(bytes.fromhex(SELECT_SSSE))
    card.power.cut_after(0)
    assert len(reader.ask(bytes.fromhex("0020000003123456"))) == 1
    reader.tell(RESET)
    assert len(reader.ask(bytes.fromhex(SELECT_SSSE))) == 1
    card.power.restore()
    reader.tell(RESET)
    assert reader.ask(bytes.fromhex(SELECT_SSSE)) == bytes.fromhex("6118")


def test_a_card_that_fails_tells_whoever_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        card = EmulatedCard(specimen(), random=DealtRandom([]))
        with InsertedCard(card, port=server.getsockname()[1]) as inserted:
            ours, _ = server.accept()
            with closing(ours):
                Reader(ours).tell(bytes.fromhex("0084000008"))
                with pytest.raises(InputError, match="no more were given"):
                    inserted.wait()
