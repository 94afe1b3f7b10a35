"""The card and account map (`BK`): the bank's card numbers come into the order; and the way back, written from one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from kaguan.apdu.identifiers import bank_card_number_ok
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
from kaguan.personalization.formats.recordfile import Record, RecordFile, write_records
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import OrderFile


class Accounts(BankAnswer):
    """The bank's map for an order."""

    identity = ("name", "sex", "cert_type", "birth_date")

    def __init__(self, records: RecordFile, order: OrderFile) -> None:
        super().__init__(records, order)
        self._counts: list[int] = []

    def _holders(self) -> Iterator[OrderedHolder]:
        self._counts = []
        return counted(super()._holders(), self._counts)

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

    def _own_faults(self, row: OrderedHolder, record: Record, place: str) -> Iterator[Fault]:
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
