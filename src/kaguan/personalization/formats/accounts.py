"""The card and account map (`BK`): the bank's card numbers come into the order; and the way back, written from one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from kaguan.apdu.identifiers import bank_card_number_ok
from kaguan.personalization.formats.bankrows import (
    OrderedHolder,
    RecordFinder,
    differences,
    order_name,
    ordered_holders,
    values_of,
    write_changed_order,
)
from kaguan.personalization.formats.layout import FixedLayout
from kaguan.personalization.formats.neworder import NewCard
from kaguan.personalization.formats.recordfile import Record, RecordFile, write_records
from kaguan.personalization.order.check import MOST_FAULTS
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import OrderFile
from kaguan.personalization.order.report import FaultSpool, OrderReport

IDENTITY = ("name", "sex", "cert_type", "birth_date")
"""What a record must say of its holder exactly as the order does, beside the certificate number that finds it."""


class Accounts:
    """The bank's map for an order."""

    def __init__(self, records: RecordFile, order: OrderFile) -> None:
        self._layout = records.layout
        self._order = order
        self._name = order_name(order)
        self._finder = RecordFinder(records)
        self._counts: list[int] = []

    def check(self) -> OrderReport:
        """Where the map and the order do not match, all of it."""
        spool, count, task = FaultSpool(MOST_FAULTS), 0, ""
        self._counts = []
        spool.add(self._finder.repeats())
        for row in ordered_holders(self._order):
            count += 1
            if not self._counts or row.holder.task_id != task:
                self._counts.append(0)
            task = row.holder.task_id
            self._counts[-1] += 1
            spool.add(self._faults(row, self._finder.find(row.holder)), judged=True)
        spool.add(self._finder.unused())
        return OrderReport(count, spool)

    def write_filled(self, stream: BinaryIO) -> int:
        """The stream holds the order with the bank's card numbers; how many comes back. `check` comes before.

        Raises:
            OrderError: the order was changed, or lacks a photo.
        """
        write_changed_order(stream, self._order, self._filled, self._counts)
        return sum(self._counts)

    def _filled(self) -> Iterator[NewCard]:
        for row in ordered_holders(self._order):
            record = self._finder.find(row.holder)
            if record is not None:
                columns = {**row.holder.columns, "bank_card_no": record.values["bank_card_no"]}
                yield NewCard(row.task.columns, columns, row.holder.id_no)

    def _faults(self, row: OrderedHolder, record: Record | None) -> Iterator[Fault]:
        if record is None:
            yield row.fault("record", "the bank's file has no record of this person")
            return
        place = f"in record {record.number}"
        wanted = values_of(self._layout, self._name, row)
        for name in differences(self._layout, record, wanted, IDENTITY):
            yield row.fault(name, f"differs {place}")
        number = record.values["bank_card_no"]
        if not bank_card_number_ok(number):
            yield row.fault("bank_card_no", f"is not 13 to 19 digits with their Luhn check digit {place}")
        elif row.holder.bank_card_no not in ("", number):
            yield row.fault("bank_card_no", f"is another one {place} than the order has already")


def write_map(stream: BinaryIO, order: OrderFile, layout: FixedLayout) -> int:
    """The stream holds the map of an order whose bank card numbers are known; the number of its records comes back.

    Raises:
        CodecError: a holder who does not fit.
        OrderError: the order is out of form, or was changed.
    """
    name = order_name(order)
    count = sum(1 for _ in ordered_holders(order))
    write_records(stream, layout, count, (values_of(layout, name, row) for row in ordered_holders(order)))
    order.archive.require_unchanged()
    return count
