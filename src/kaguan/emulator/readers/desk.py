"""All readers of one `kaguan emulate`, and what keys, control socket and signals do with them.

Law. A card image is open in one reader at most, and free again when its card is swapped or the desk is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    @property
    def failure(self) -> str:
        """What the card failed with, empty when it did not."""
        ...

    def insert(self, card: Link | None = None, title: str = "") -> None:
        """The card is in."""
        ...

    def mend(self) -> bool:
        """Whether a card that was lost is in again."""
        ...

    def remove(self) -> None:
        """It is empty."""
        ...


class Desk:
    """The readers, numbered from 1. Requests may come from several threads; one is done at a time."""

    def __init__(self, readers: Sequence[AnyReader], open_card: Callable[[Path, int], Link]) -> None:
        """`open_card` opens an image for the place of this number, counted from 0."""
        self.readers = list(readers)
        self.stopping = Event()
        self._open_card = open_card
        self._lock = Lock()
        self._told = [""] * len(self.readers)

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
                for place in self._meant(request):
                    self._change(place, request)
            return [
                {"reader": number, "card": reader.title, "state": str(reader.state)}
                for number, reader in enumerate(self.readers, 1)
            ]

    def toggle(self, number: int) -> None:
        """The card is out if it was in, and in if it was out."""
        reader = self.readers[number - 1]
        self.do(Request("insert" if reader.state is not State.CARD else "remove", number))

    def look_after(self) -> Iterator[str]:
        """Cards that were lost are in again where that is possible; what a person should know of it, told once."""
        with self._lock:
            for place, reader in enumerate(self.readers):
                failure = f": {reader.failure}" if reader.failure else ""
                lost = reader.state is State.LOST
                back = reader.mend()
                told = f"{State.LOST}{failure}" if lost else failure.removeprefix(": ")
                if told and told != self._told[place]:
                    yield f"{place + 1}: {reader.title}: {told}"
                if back:
                    yield f"{place + 1}: {reader.title}: {reader.state} again"
                self._told[place] = told

    def clear(self) -> None:
        """Every reader is empty."""
        with self._lock:
            for reader in self.readers:
                reader.remove()

    def _change(self, place: int, request: Request) -> None:
        reader = self.readers[place]
        if request.action == "remove":
            reader.remove()
        elif not request.card:
            reader.insert()
        else:
            path = Path(request.card)
            if path.resolve() == Path(reader.title).resolve():
                reader.remove()
                reader.card.close()  # an image is open once
            card = self._open_card(path, place)
            reader.remove()
            reader.card.close()
            reader.insert(card, request.card)

    def _meant(self, request: Request) -> Sequence[int]:
        if not request.reader and not request.card:
            return range(len(self.readers))
        if not 1 <= request.reader <= len(self.readers):
            raise RuleBroken(f"there is no reader {request.reader}: there are 1 to {len(self.readers)}")
        return [request.reader - 1]
