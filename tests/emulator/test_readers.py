"""Virtual readers whose service goes and comes, and cards that are swapped in them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from card.cards import SELECT_SSSE, specimen
from kaguan.apdu.errors import NoCard
from kaguan.apdu.trace import EventKind
from kaguan.durable import InUse
from kaguan.emulator.card import EmulatedCard
from kaguan.emulator.faults import Faults
from kaguan.emulator.imagefile import save_image
from kaguan.emulator.readers import State, VirtualReader
from kaguan.emulator.readers.control import Request
from kaguan.emulator.readers.desk import Desk
from kaguan.opening import Places
from kaguan.terminal.trace import read_trace

SECONDS = 10


class Service:
    """What vpcd does: it listens, asks for the ATR, sends commands."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._listener.settimeout(SECONDS)
        self.connection: socket.socket | None = None

    def take(self) -> bytes:
        """The ATR of the card that comes in."""
        if self.connection is not None:
            self.connection.close()
        self.connection, _ = self._listener.accept()
        self.connection.settimeout(SECONDS)
        return self.ask(b"\4")

    def ask(self, message: bytes) -> bytes:
        """The card's answer; empty when it hangs up."""
        assert self.connection is not None
        self.connection.sendall(len(message).to_bytes(2, "big") + message)
        head = self.connection.recv(2)
        return self.connection.recv(int.from_bytes(head, "big")) if head else b""

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self._listener.close()


def wait_until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def service() -> Iterator[Service]:
    with closing(Service()) as service:
        yield service


def a_desk(service: Service, places: Places, *paths: Path) -> Desk:
    readers = [
        VirtualReader(places.put_image(path, number), str(path), host="127.0.0.1", port=service.port)
        for number, path in enumerate(paths)
    ]
    return Desk(readers, places.put_image)


def test_a_card_is_in_again_when_its_service_is() -> None:
    with closing(Service()) as first:
        reader = VirtualReader(EmulatedCard(specimen()), "my.card", host="127.0.0.1", port=first.port)
        desk = Desk([reader], lambda _path, _place: EmulatedCard(specimen()))
        desk.do(Request("insert"))
        assert first.take() == specimen().atr
        assert list(desk.look_after()) == []
    wait_until(lambda: reader.state is State.LOST)
    assert list(desk.look_after()) == ["1: my.card: connection lost"]
    assert list(desk.look_after()) == []
    with closing(Service(first.port)) as second:
        assert list(desk.look_after()) == ["1: my.card: card in again"]
        assert second.take() == specimen().atr
        desk.clear()
        assert reader.state is State.EMPTY
        assert list(desk.look_after()) == []


class Broken(EmulatedCard):
    """A card that fails in a way of its own."""

    def transceive(self, command: bytes) -> bytes:
        raise OSError("no space left on the device")


def test_what_a_card_failed_with_is_told_once(service: Service) -> None:
    reader = VirtualReader(Broken(specimen()), "my.card", host="127.0.0.1", port=service.port)
    desk = Desk([reader], lambda _path, _place: EmulatedCard(specimen()))
    desk.do(Request("insert"))
    service.take()
    assert service.ask(b"\0\x84\0\0\x04") == b""
    wait_until(lambda: reader.state is State.LOST)
    told = "1: my.card: connection lost: no space left on the device"
    assert list(desk.look_after()) == [told, "1: my.card: card in again"]
    assert service.take() == specimen().atr
    desk.clear()


def test_a_swapped_card_is_traced_and_struck_too(service: Service, tmp_path: Path) -> None:
    images = [tmp_path / "one.card", tmp_path / "two.card"]
    for path in images:
        save_image(path, specimen())
    trace = tmp_path / "t.jsonl"
    challenge = bytes.fromhex("0084000008")
    with closing(Places(trace=trace, faults=Faults("sw@GET CHALLENGE:6F01"))) as places:
        desk = a_desk(service, places, images[0])
        desk.do(Request("insert"))
        service.take()
        assert service.ask(challenge) == b"\x6f\x01"
        assert len(service.ask(challenge)) == 10
        desk.do(Request("insert", 1, str(images[1])))
        service.take()
        assert service.ask(challenge) == b"\x6f\x01"
        service.ask(bytes.fromhex(SELECT_SSSE))
        assert places.put_image(images[0], 1).atr == specimen().atr, "the first card is free again"
        desk.clear()
    events = list(read_trace(trace))
    assert [event.kind for event in events].count(EventKind.FAULT) == 2
    assert str(events[-1].command or "") == ""
    told = [str(event.command) for event in events if event.kind is EventKind.EXCHANGE]
    assert told == ["0084000008"] * 3 + [SELECT_SSSE]


def test_what_cannot_be_opened_leaves_the_card_where_it_is(service: Service, tmp_path: Path) -> None:
    path, other = tmp_path / "one.card", tmp_path / "two.card"
    save_image(path, specimen())
    save_image(other, specimen())
    with closing(Places()) as places, closing(Places()) as others:
        others.put_image(other, 0)
        desk = a_desk(service, places, path)
        desk.do(Request("insert"))
        service.take()
        with pytest.raises(NoCard):
            desk.do(Request("insert", 1, str(tmp_path / "no.card")))
        with pytest.raises(InUse, match="in use by another process"):
            desk.do(Request("insert", 1, str(other)))
        assert desk.readers[0].state is State.CARD
        assert service.ask(b"\4") == specimen().atr
        desk.do(Request("insert", 1, str(path)))
        assert service.take() == specimen().atr
        desk.clear()


def test_a_card_that_a_fault_pulled_out_is_put_in_again(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "one.card"
    save_image(path, specimen())
    with closing(Places(faults=Faults("remove@GET CHALLENGE"))) as places:
        desk = a_desk(service, places, path)
        desk.do(Request("insert"))
        service.take()
        challenge = bytes.fromhex("0084000008")
        assert service.ask(challenge) == b""
        wait_until(lambda: desk.readers[0].state is State.LOST)
        lost, back = desk.look_after()
        assert "the card was pulled out" in lost
        assert back.endswith("card in again")
        assert service.take() == specimen().atr
        assert service.connection is not None
        service.connection.sendall(b"\0\1\1")  # power on
        assert len(service.ask(challenge)) == 10
        desk.clear()
