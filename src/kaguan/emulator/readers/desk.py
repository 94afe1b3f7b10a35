"""All readers of one `kaguan emulate`, and what keys, control socket and signals do with them.

Law. A card image is open in one reader at most, and free again when its card is swapped or the desk is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import Protocol

from kaguan.apdu.errors import RuleBroken
from kaguan.apdu.link import Link
from kaguan.emulator.readers.control import Request
from kaguan.emulator.readers.reader import State


class AnyReader(Protocol):
    """What virtual readers and TCP ports have in common."""

    card: Link
    title: str

    @property
    def state(self) -> State:
        """What it holds."""
        ...

    def insert(self, card: Link | None = None, title: str = "") -> None:
        """The card is in."""
        ...

    def remove(self) -> None:
        """It is empty."""
        ...


class Desk:
    """The readers, numbered from 1. Requests may come from several threads; one is done at a time."""

    def __init__(self, readers: Sequence[AnyReader], open_card: Callable[[Path], Link]) -> None:
        self.readers = list(readers)
        self.stopping = Event()
        self._open_card = open_card
        self._lock = Lock()

    def do(self, request: Request) -> list[dict[str, object]]:
        """The readers, once this has been done.

        Raises:
            RuleBroken: there is no such reader.
            LinkError, InputError: there is no such card, or no virtual reader.
        """
        with self._lock:
            if request.action == "stop":
                self.stopping.set()
            elif request.action != "list":
                for reader in self._meant(request):
                    self._change(reader, request)
            return [
                {"reader": number, "card": reader.title, "state": str(reader.state)}
                for number, reader in enumerate(self.readers, 1)
            ]

    def toggle(self, number: int) -> None:
        """The card is out if it was in, and in if it was out."""
        reader = self.readers[number - 1]
        self.do(Request("insert" if reader.state is not State.CARD else "remove", number))

    def clear(self) -> None:
        """Every reader is empty."""
        with self._lock:
            for reader in self.readers:
                reader.remove()

    def _change(self, reader: AnyReader, request: Request) -> None:
        if request.action == "remove":
            reader.remove()
        elif not request.card:
            reader.insert()
        else:
            reader.remove()
            reader.card.close()  # the same image may come again
            reader.insert(self._open_card(Path(request.card)), request.card)

    def _meant(self, request: Request) -> list[AnyReader]:
        if not request.reader and not request.card:
            return self.readers
        if not 1 <= request.reader <= len(self.readers):
            raise RuleBroken(f"there is no reader {request.reader}: there are 1 to {len(self.readers)}")
        return [self.readers[request.reader - 1]]
