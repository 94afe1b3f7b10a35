"""What a sender says of an order as a whole, and whether it is so.

The control file `ORDER.zip.totals` is text, one `name=value` a line, and has any of: `holders`, `tasks`, `photos`,
`record_counts` (the sum of the task lines' own counts), `hash_total` and `list_sha256` (of the task list as it is
unpacked). A hash total means nothing by itself: it is the sum of all bank card numbers, of which the last twelve
digits are kept, as clearing files sum up account numbers and drop what overflows on the left. A lost, doubled or
altered row changes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path

from kaguan.apdu.errors import OrderError
from kaguan.durable import write_whole
from kaguan.personalization.order.archive import OrderArchive
from kaguan.personalization.order.directory import ZipDamaged
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.reading import Holder, Task, open_order

SUFFIX = ".totals"
HASH_MODULUS = 10**12
_LONGEST = 4096
_BLOCK = 1 << 17
_LINE = re.compile(r"([a-z0-9_]+) *= *([0-9a-f]+)")


@dataclass(frozen=True, slots=True)
class OrderTotals:
    """The totals of an order; a sender may leave out some."""

    holders: int | None = None
    tasks: int | None = None
    photos: int | None = None
    record_counts: int | None = None
    hash_total: int | None = None
    list_sha256: str | None = None

    def differences(self, found: OrderTotals) -> Iterator[Fault]:
        """What the order itself has otherwise."""
        for name, said in asdict(self).items():
            has = getattr(found, name)
            if said not in (None, has):
                yield Fault(0, "totals", f"{name}: the sender's totals say {said}, the order has {has}")

    def __str__(self) -> str:
        """The control file's text."""
        return "".join(f"{name}={value}\n" for name, value in asdict(self).items() if value is not None)


class Tally:
    """Counts an order while it goes by."""

    def __init__(self) -> None:
        self._holders = self._tasks = self._record_counts = self._hash_total = 0

    def add_task(self, task: Task) -> None:
        """The task is counted."""
        self._tasks += 1
        self._record_counts += task.record_count or 0

    def add(self, holder: Holder) -> None:
        """The holder is counted."""
        self._holders += 1
        number = holder.bank_card_no[-20:]
        if number.isascii() and number.isdigit():
            self._hash_total = (self._hash_total + int(number)) % HASH_MODULUS

    def totals(self, archive: OrderArchive) -> OrderTotals:
        """What was counted of the order in this archive."""
        digest = sha256()
        try:
            with archive.open_list() as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
        except ZipDamaged:
            digest = sha256()  # told as a fault of the zip; it equals no sender's digest
        return OrderTotals(
            self._holders,
            self._tasks,
            archive.photo_count,
            self._record_counts,
            self._hash_total,
            digest.hexdigest(),
        )


def totals_beside(order: Path) -> OrderTotals | None:
    """What the sender's control file says of the order; None when there is no such file.

    Raises:
        OrderError: it is out of form.
    """
    place = _beside(order)
    try:
        with place.open("rb") as file:
            raw = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return None
    try:
        lines = raw.decode("ascii").split("\n") if len(raw) <= _LONGEST else [""]
    except UnicodeDecodeError:
        lines = [""]
    return _parsed([line.strip() for line in lines], place.name)


def _parsed(lines: list[str], name: str) -> OrderTotals:
    known = {field.name for field in fields(OrderTotals)}
    values: dict[str, int | str] = {}
    for number, line in enumerate(lines, 1):
        if not line and values:
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] not in known or match[1] in values:
            raise OrderError("is no line name=value with a total's name that comes once", file=name, line=number)
        if match[1] != "list_sha256" and not (match[2].isdigit() and len(match[2]) <= 15):
            raise OrderError(f"{match[1]} is no number", file=name, line=number)
        values[match[1]] = match[2] if match[1] == "list_sha256" else int(match[2])
    return OrderTotals(**values)  # type: ignore[arg-type]  # each value is of its field's kind


def count_totals(order: Path) -> OrderTotals:
    """The order's own totals.

    Raises:
        OrderError: it is out of form.
        OrderChanged: somebody wrote to it meanwhile.
    """
    tally = Tally()
    with open_order(order) as opened:
        for entry in opened:
            if isinstance(entry, Task):
                tally.add_task(entry)
            else:
                tally.add(entry)
        totals = tally.totals(opened.archive)
        opened.archive.require_unchanged()
    return totals


def write_totals(order: Path) -> Path:
    """The control file is beside the order, for its sender to send along. Raises as `count_totals`."""
    place = _beside(order)
    write_whole(place, str(count_totals(order)).encode("ascii"))
    return place


def _beside(order: Path) -> Path:
    return order.with_name(order.name + SUFFIX)
