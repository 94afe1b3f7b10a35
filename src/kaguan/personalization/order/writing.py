"""Write an order file: the form that `order` reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import BinaryIO, NamedTuple

from kaguan.personalization.order.pipetext import encode_line
from kaguan.personalization.order.reading import DASHES, HOLDER_COLUMNS, TASK_COLUMNS, OrderName
from kaguan.personalization.order.zipwriting import ZipWriter


class OrderedCard(NamedTuple):
    """One card to be made: the holder's columns by name, and the photo."""

    columns: Mapping[str, str]
    photo: bytes

    def __repr__(self) -> str:
        return f"<OrderedCard of {len(self.columns)} columns, photo of {len(self.photo)} bytes>"


class OrderedTask(NamedTuple):
    """One task: its columns by name (`recordcount` is counted), and its cards."""

    columns: Mapping[str, str]
    cards: Collection[OrderedCard]

    def __repr__(self) -> str:
        return f"<OrderedTask of {len(self.cards)} cards>"


def write_order(stream: BinaryIO, name: OrderName, tasks: Collection[OrderedTask]) -> None:
    """The stream holds the order's zip.

    Tasks and cards are gone through twice, for the list and for the photos, and none is kept: collections that make
    their cards as they are asked for give orders of any size.

    Raises:
        CodecError: a value that GB18030 or the list's form cannot hold.
    """
    written = datetime.strptime(name.timestamp, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the bureau's local time
    with ZipWriter(stream, written) as archive:
        archive.deflate(name.file_name, _lines(tasks))
        for task in tasks:
            for card in task.cards:
                archive.store(f"{card.columns['cert_no']}.jpg", card.photo)


def _lines(tasks: Iterable[OrderedTask]) -> Iterator[bytes]:
    yield encode_line(TASK_COLUMNS)
    yield encode_line(HOLDER_COLUMNS)
    for task in tasks:
        columns = {**task.columns, "recordcount": str(len(task.cards))}
        yield encode_line(columns.get(column, "") for column in TASK_COLUMNS)
        for card in task.cards:
            yield encode_line(card.columns.get(column, "") for column in HOLDER_COLUMNS)
        yield encode_line([DASHES])
