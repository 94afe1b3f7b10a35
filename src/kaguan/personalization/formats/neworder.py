"""An order written from cards that are made anew each time they are gone through, so that none is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import BinaryIO, Generic, NamedTuple, TypeVar

from kaguan.apdu.errors import OrderError
from kaguan.personalization.order.reading import OrderName
from kaguan.personalization.order.writing import OrderedCard, OrderedTask, write_order

T = TypeVar("T")


class NewCard(NamedTuple):
    """One card of a new order: its task's columns, its own, and what its photo is asked for by."""

    task: Mapping[str, str]
    columns: Mapping[str, str]
    photo: str

    def __repr__(self) -> str:
        return f"<NewCard of {len(self.columns)} columns>"


class _Made(Collection[T], Generic[T]):
    """So many things, made when they are gone through.

    Going through raises OrderError when others come than were counted.
    """

    def __init__(self, count: int, make: Callable[[], Iterator[T]]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        number = 0
        for number, thing in enumerate(self._make(), 1):
            if number > self._count:
                raise _changed()
            yield thing
        if number != self._count:
            raise _changed()

    def __contains__(self, thing: object) -> bool:
        return any(thing == made for made in self)


def write_new_order(
    stream: BinaryIO,
    name: OrderName,
    cards: Callable[[], Iterator[NewCard]],
    counts: Sequence[int],
    photo: Callable[[str], bytes],
) -> None:
    """The stream holds the order of these cards, those of a task standing together; `counts` says how many each has.

    Raises:
        OrderError: the cards are not as many as was counted before, or a photo is gone.
        CodecError: a value that an order cannot hold.
    """

    def tasks() -> Iterator[OrderedTask]:
        groups = groupby(cards(), key=lambda card: card.task["task_id"])
        for place, (_, group) in enumerate(groups):
            if place == len(counts):
                raise _changed()
            yield _task(group, counts[place])

    def _task(group: Iterator[NewCard], count: int) -> OrderedTask:
        first = next(group)
        ordered = (OrderedCard(card.columns, photo(card.photo)) for card in chain([first], group))
        return OrderedTask(first.task, _Made(count, lambda: ordered))

    write_order(stream, name, _Made(len(counts), tasks))


def _changed() -> OrderError:
    return OrderError("what the order is made from was changed meanwhile: run the same command again")
