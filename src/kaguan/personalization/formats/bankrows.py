"""An order's holders in the bank's terms, and the bank's records found again by holder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, ClassVar, NamedTuple

from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.formats.layout import FixedLayout
from kaguan.personalization.formats.neworder import NewCard, write_new_order
from kaguan.personalization.formats.recordfile import Record, RecordFile, RecordFileError, RecordFileName
from kaguan.personalization.order.check import MOST_FAULTS
from kaguan.personalization.order.directory import ZipDamaged
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import Holder, OrderFile, OrderName, Task
from kaguan.personalization.order.report import FaultSpool, OrderReport
from kaguan.personalization.order.temporary import digester, temporary_database

_SCHEMA = "CREATE TABLE record (number INTEGER PRIMARY KEY, digest BLOB)"
_INDEX = "CREATE INDEX record_by_digest ON record (digest, number)"
_TWICE = """
SELECT number, first FROM (
    SELECT number, first_value(number) OVER (PARTITION BY digest ORDER BY number) AS first FROM record
) WHERE number <> first ORDER BY number
"""
_MOBILE_DIGITS = 11


class OrderedHolder(NamedTuple):
    """A holder with the task that he stands in."""

    task: Task
    holder: Holder

    def fault(self, column: str, reason: str) -> Fault:
        """The fault of this row."""
        return Fault(self.holder.row, column, reason, self.holder.task_id, self.holder.line)


def ordered_holders(order: OrderFile) -> Iterator[OrderedHolder]:
    """The holders of all tasks.

    Raises:
        OrderError: on reaching something that is out of form.
    """
    task: Task | None = None
    for entry in order:
        if isinstance(entry, Task):
            task = entry
        elif task is not None:
            yield OrderedHolder(task, entry)


def order_name(order: OrderFile) -> OrderName:
    """The order's name.

    Raises:
        OrderError: the task list is not named as one.
    """
    if order.name is None:
        raise OrderError("the task list's name is no order's name", file=order.path.name)
    return order.name


def values_of(layout: FixedLayout, name: OrderName, row: OrderedHolder) -> dict[str, str]:
    """What the layout's fields take from this holder."""
    holder = row.holder
    spaces: Mapping[str, Callable[[str], str]] = {
        "holder": lambda column: holder.columns.get(column, ""),
        "task": lambda column: row.task.columns.get(column, ""),
        "order": lambda part: str(getattr(name, part)),
    }
    made = {"holder.name": holder.name, "holder.mobile": _mobile(holder)}
    values = {}
    for one in layout.fields:
        if one.source in made:
            values[one.name] = made[one.source]
        elif one.source:
            space, _, column = one.source.partition(".")
            values[one.name] = spaces[space](column)
    return values


def _mobile(holder: Holder) -> str:
    """The telephone number when it is a mobile's: eleven digits that begin with 1."""
    digits = holder.columns.get("df01ef0628", "").replace("-", "").removeprefix("+86")
    return digits if len(digits) == _MOBILE_DIGITS and digits.isdigit() and digits[0] == "1" else ""


def require_name(file_name: str, layout: FixedLayout, order: OrderFile) -> None:
    """Nothing happens when a file of that name answers this order.

    Raises:
        RecordFileError: it is not named as it must be, or of another batch or bank.
    """
    name, ordered = RecordFileName.parse(file_name), order_name(order)
    if name is None or name.prefix != layout.prefix:
        raise RecordFileError(f"is not named {layout.prefix}_<batch>_<bank>_<time>", file=file_name)
    if name.batch != ordered.batch:
        raise RecordFileError(f"is of batch {name.batch}, the order of {ordered.batch}", file=file_name)
    if name.bank != ordered.bank.lstrip("0"):
        raise RecordFileError(f"is of bank {name.bank}, the order of {ordered.bank}", file=file_name)


class RecordFinder:
    """The records of a bank's file by certificate number: only digests are kept, the record is read again."""

    def __init__(self, records: RecordFile) -> None:
        """All records are read once.

        Raises:
            RecordFileError: one of them cannot be.
        """
        self._records = records
        self._digest = digester(16)
        self._index = temporary_database(self, _SCHEMA)
        self._used = bytearray(records.count // 8 + 1)
        rows = ((record.number, self._digest(record.values["cert_no"].encode())) for record in records)
        self._index.executemany("INSERT INTO record VALUES (?, ?)", rows)
        self._index.execute(_INDEX)

    def repeats(self) -> Iterator[Fault]:
        """One fault for each record whose certificate number an earlier one has."""
        for number, first in self._index.execute(_TWICE):
            yield Fault(0, "cert_no", f"record {number} is of the same person as record {first}", line=number)

    def find(self, holder: Holder) -> Record | None:
        """The record of this holder's certificate number, or None. It counts as used then."""
        query = "SELECT number FROM record WHERE digest = ? ORDER BY number LIMIT 1"
        found = self._index.execute(query, (self._digest(holder.id_no.encode()),)).fetchone()
        if found is None:
            return None
        number = int(found[0])
        self._used[number >> 3] |= 1 << (number & 7)
        record = self._records.record(number)
        return record if record.values["cert_no"] == holder.id_no else None

    def unused(self) -> Iterator[Fault]:
        """One fault for each record that belongs to nobody who was asked for."""
        for number in range(1, self._records.count + 1):
            if not self._used[number >> 3] >> (number & 7) & 1:
                yield Fault(0, "record", f"record {number} belongs to no holder of the order", line=number)


class BankAnswer(ABC):
    """A bank's file that has a record for each holder of an order, found by the certificate number."""

    identity: ClassVar[tuple[str, ...]]
    """What a record must say of its holder exactly as the order does, beside the certificate number."""

    def __init__(self, records: RecordFile, order: OrderFile) -> None:
        self._layout = records.layout
        self._order = order
        self._name = order_name(order)
        self._finder = RecordFinder(records)

    def check(self) -> OrderReport:
        """Where the file and the order do not match, all of it."""
        spool, count = FaultSpool(MOST_FAULTS), 0
        spool.add(self._finder.repeats())
        for row in self._holders():
            count += 1
            spool.add(self._faults(row, self._finder.find(row.holder)), judged=True)
        spool.add(self._finder.unused())
        return OrderReport(count, spool)

    def _holders(self) -> Iterator[OrderedHolder]:
        return ordered_holders(self._order)

    def _faults(self, row: OrderedHolder, record: Record | None) -> Iterator[Fault]:
        if record is None:
            yield row.fault("record", "the bank's file has no record of this person")
            return
        place = f"in record {record.number}"
        wanted = values_of(self._layout, self._name, row)
        for name in differences(self._layout, record, wanted, self.identity):
            yield row.fault(name, f"differs {place}")
        yield from self._own_faults(row, record, place)

    @abstractmethod
    def _own_faults(self, row: OrderedHolder, record: Record, place: str) -> Iterator[Fault]:
        """What else this kind of file must say of a holder."""


def counted(rows: Iterable[OrderedHolder], counts: list[int]) -> Iterator[OrderedHolder]:
    """The same rows; how many each task has is in `counts` when they are through."""
    task = None
    for row in rows:
        if row.holder.task_id != task:
            counts.append(0)
            task = row.holder.task_id
        counts[-1] += 1
        yield row


def differences(layout: FixedLayout, record: Record, wanted: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """The fields of these names in which the record is not as the order says."""
    return [name for name in names if name in layout.by_name and not _same(layout, name, record, wanted.get(name, ""))]


def _same(layout: FixedLayout, name: str, record: Record, wanted: str) -> bool:
    try:
        return layout.fit(name, wanted) == record.values[name]
    except CodecError:
        return False


def write_changed_order(
    stream: BinaryIO, order: OrderFile, cards: Callable[[], Iterator[NewCard]], counts: list[int]
) -> None:
    """The stream holds the order with these cards, and with the photos of the old one.

    Raises:
        OrderError: the order was changed, or lacks a photo.
    """

    def photo(certificate: str) -> bytes:
        try:
            return order.archive.photo(certificate)
        except (KeyError, ZipDamaged):
            raise OrderError("a holder's photo is missing or damaged", file=order.path.name) from None

    write_new_order(stream, order_name(order), cards, counts, photo)
    order.archive.require_unchanged()
