"""Accounts opened before cards are made: the request to the bank (`SH`), and its answer (`RH`)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kaguan.apdu.errors import CodecError
from kaguan.personalization.formats.bankrows import (
    BankAnswer,
    OrderedHolder,
    counted,
    order_name,
    ordered_holders,
    values_of,
    write_changed_order,
)
from kaguan.personalization.formats.layout import FixedLayout
from kaguan.personalization.formats.neworder import NewCard
from kaguan.personalization.formats.recordfile import Record, RecordFileName, write_records
from kaguan.personalization.order.check import MOST_FAULTS
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import OrderFile
from kaguan.personalization.order.report import FaultSpool, OrderReport

_LONG_NUMBER = re.compile(r"(?<!\d)\d{7,}[\dXx]?")


def request_name(order: OrderFile, layout: FixedLayout, timestamp: str) -> str:
    """The file name of the request for this order."""
    name = order_name(order)
    return RecordFileName(layout.prefix, name.batch, name.bank, timestamp).file_name


def check_request(order: OrderFile, layout: FixedLayout) -> OrderReport:
    """What keeps the order's holders out of a request, all of it.

    Raises:
        OrderError: the order is out of form: check it first.
    """
    spool, count, name = FaultSpool(MOST_FAULTS), 0, order_name(order)
    for row in ordered_holders(order):
        count += 1
        values = values_of(layout, name, row)
        for one in layout.fields:
            try:
                layout.encode_field(one, values.get(one.name, ""))
            except CodecError as error:
                spool.add([row.fault(one.name, str(error).removeprefix(f"{one.name}: "))], judged=True)
    if not count:
        spool.add([Fault(0, "order", "holds no holder")])
    return OrderReport(count, spool)


def write_request(stream: BinaryIO, order: OrderFile, layout: FixedLayout, count: int) -> None:
    """The stream holds the request for all `count` holders of the order.

    Raises:
        CodecError: a holder who does not fit, or not as many as announced.
    """
    name = order_name(order)
    write_records(stream, layout, count, (values_of(layout, name, row) for row in ordered_holders(order)))
    order.archive.require_unchanged()


class Refusal(NamedTuple):
    """A person for whom the bank opened no account; the reason is the bank's, with long numbers masked."""

    row: int
    line: int
    task: str
    reason: str


class Answers(BankAnswer):
    """The bank's answer to the request for an order; a refusal is no fault."""

    identity = ("seq", "task_id", "name", "sex", "cert_type")

    def refusals(self) -> Iterator[Refusal]:
        """The refused persons, in the order's sequence."""
        for row in ordered_holders(self._order):
            record = self._finder.find(row.holder)
            if record and record.values["flag"] == self._layout.refused:
                holder = row.holder
                reason = record.values["reason"]
                if holder.name:
                    reason = reason.replace(holder.name, "***")
                yield Refusal(holder.row, holder.line, holder.task_id, masked(reason))

    def write_opened(self, stream: BinaryIO) -> int:
        """The stream holds the order without those whom the bank refused; the number of the others comes back.

        Raises:
            OrderError: the order was changed, or lacks a photo.
        """
        counts: list[int] = []
        deque(counted(self._opened(), counts), maxlen=0)

        def cards() -> Iterator[NewCard]:
            for row in self._opened():
                yield NewCard(row.task.columns, row.holder.columns, row.holder.id_no)

        write_changed_order(stream, self._order, cards, counts)
        return sum(counts)

    def _opened(self) -> Iterator[OrderedHolder]:
        for row in ordered_holders(self._order):
            record = self._finder.find(row.holder)
            if record and record.values["flag"] == self._layout.opened:
                yield row

    def _own_faults(self, row: OrderedHolder, record: Record, place: str) -> Iterator[Fault]:
        flag, reason = record.values["flag"], record.values["reason"]
        if flag not in (self._layout.opened, self._layout.refused):
            yield row.fault("flag", f"neither opened nor refused {place}: does the layout know this bank's flags?")
        elif flag == self._layout.refused and not reason:
            yield row.fault("reason", f"is empty though refused {place}: does the layout know this bank's flags?")


def masked(text: str) -> str:
    """The text with all but the first four digits of long numbers hidden: reports travel further than answers."""
    return _LONG_NUMBER.sub(lambda match: match[0][:4] + "*" * (len(match[0]) - 4), text)
