"""Write an order file: the form that `order` reads."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from kaguan.personalization.order.pipetext import encode_line
from kaguan.personalization.order.reading import DASHES, HOLDER_COLUMNS, TASK_COLUMNS, OrderName


class OrderedCard(NamedTuple):
    """One card to be made: the holder's columns by name, and the photo."""

    columns: Mapping[str, str]
    photo: bytes

    def __repr__(self) -> str:
        return f"<OrderedCard of {len(self.columns)} columns, photo of {len(self.photo)} bytes>"


class OrderedTask(NamedTuple):
    """One task: its columns by name (`recordcount` is counted), and its cards."""

    columns: Mapping[str, str]
    cards: tuple[OrderedCard, ...]

    def __repr__(self) -> str:
        return f"<OrderedTask of {len(self.cards)} cards>"


def write_order(stream: BinaryIO, name: OrderName, tasks: Iterable[OrderedTask]) -> None:
    """The stream holds the order's zip.

    Raises:
        CodecError: a value that GB18030 or the list's form cannot hold.
    """
    listed = list(tasks)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name.file_name, b"".join(_lines(listed)))
        for task in listed:
            for card in task.cards:
                archive.writestr(f"{card.columns['cert_no']}.jpg", card.photo)


def _lines(tasks: list[OrderedTask]) -> Iterator[bytes]:
    yield encode_line(TASK_COLUMNS)
    yield encode_line(HOLDER_COLUMNS)
    for task in tasks:
        columns = {**task.columns, "recordcount": str(len(task.cards))}
        yield encode_line(columns.get(column, "") for column in TASK_COLUMNS)
        for card in task.cards:
            yield encode_line(card.columns.get(column, "") for column in HOLDER_COLUMNS)
        yield encode_line([DASHES])
