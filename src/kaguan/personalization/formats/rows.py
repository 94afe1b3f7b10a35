"""A row of the source becomes a holder of the order, with its task's columns and its photo's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kaguan.apdu import textcodec
from kaguan.apdu.errors import CodecError, OrderError
from kaguan.personalization.formats.mapping import NAME, NAME_COLUMN, NAME_EXTENSION, MappingError, OrderMapping
from kaguan.personalization.formats.rules import CellFault, Maker, Place, Ref, Rule, bind, bind_template
from kaguan.personalization.formats.source import BadCell, SourceRow
from kaguan.personalization.order.fault import Fault
from kaguan.personalization.order.holder_rules import NAME_EXTENSION_WIDTH, NAME_WIDTH
from kaguan.personalization.order.reading import HOLDER_COLUMNS, TASK_COLUMNS, Holder, OrderName

_NOT_IN_A_LIST = re.compile(r"[|\x00-\x1f\x7f]")

_LONG_NUMBER = re.compile(r"\d{7}")


class Converted(NamedTuple):
    """A row in the order's terms. `failed` columns could not be made, and hold nothing."""

    holder: Holder
    task: Mapping[str, str]
    photo: str
    failed: frozenset[str]

    def __repr__(self) -> str:
        return f"<Converted {self.holder!r}>"


@dataclass(frozen=True, slots=True)
class RowMaker:
    """The mapping, bound to the columns of one source."""

    width: int
    """How many cells a row has; 0 when the source has no header that says it."""
    headers: tuple[str, ...]
    task: tuple[tuple[Rule, Maker], ...]
    holder: tuple[tuple[Rule, Maker], ...]
    photo: Callable[[SourceRow], str] | None
    bank: str
    labels: Mapping[str, str]

    @classmethod
    def of(cls, mapping: OrderMapping, name: OrderName, rows: Iterator[SourceRow], file: str) -> RowMaker:
        """The maker for a source whose rows begin here; the header, when there is one, is taken from them.

        Raises:
            OrderError: there is no header row.
            MappingError: the source lacks a column that the mapping wants, or has two of that name.
        """
        headers = _headers(mapping.source.header, rows, file)
        places = _Columns(headers, mapping.file, file)
        return cls(
            width=len(headers),
            headers=headers,
            task=tuple((rule, bind(rule, places.wanted(rule))) for rule in mapping.task),
            holder=tuple((rule, bind(rule, places.wanted(rule))) for rule in mapping.holder),
            photo=bind_template(mapping.photo, places.of(mapping.photo.refs, mapping.photo_place))
            if mapping.photo
            else None,
            bank=name.bank,
            labels=labels_of(mapping),
        )

    def make(self, row: SourceRow, place: int) -> Iterator[Converted | Fault]:
        """The row's faults of form, then the row itself. `place` is its place among all rows, from 1."""
        making = _Making(row, place)
        for label, reason in self._row_reasons(row):
            making.tell(label, reason)
        task = {"bank_id": self.bank, **making.columns(self.task)}
        columns = making.columns(self.holder)
        if any(rule.column == NAME_COLUMN for rule, _ in self.holder):
            making.part_name(columns, self.labels.get(NAME, NAME))
        photo = making.photo_name(self.photo, columns)
        text = columns.get("data_seq", "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        number, task_id = number or place, task.get("task_id", "")
        for label, reason in making.reasons:
            yield Fault(number, label, reason, task_id, row.number)
        whole = {column: columns.get(column, "") for column in HOLDER_COLUMNS}
        holder = Holder(row.number, number, task_id, whole)
        task = {column: task.get(column, "") for column in TASK_COLUMNS}
        yield Converted(holder, task, photo, frozenset(making.failed))

    def _row_reasons(self, row: SourceRow) -> Iterator[tuple[str, str]]:
        if self.width and len(row.cells) > self.width and any(row.cells[self.width :]):
            yield "row", f"has {len(row.cells)} cells, more than the header's {self.width}"
        for index, cell in enumerate(row.cells):
            if isinstance(cell, BadCell) and cell.formula:
                yield self._header(index), cell.reason

    def _header(self, index: int) -> str:
        name = self.headers[index] if index < len(self.headers) else ""
        return name if name and not _LONG_NUMBER.search(name) else f"column {index + 1}"


class _Making:
    """One row while its columns are made: what could not be made, and why."""

    def __init__(self, row: SourceRow, place: int) -> None:
        self.reasons: list[tuple[str, str]] = []
        self.failed: set[str] = set()
        self._row = row
        self._place = place

    def tell(self, label: str, reason: str, *failed: str) -> None:
        """There is a reason against the row, and these columns of the order cannot be made; each is told once."""
        if (label, reason) not in self.reasons:
            self.reasons.append((label, reason))
        self.failed.update(failed)

    def columns(self, rules: tuple[tuple[Rule, Maker], ...]) -> dict[str, str]:
        """The columns that these rules make."""
        made = {}
        for rule, maker in rules:
            try:
                text = maker(self._row, self._place)
            except CellFault as fault:
                self.tell(label_of(fault.refs, rule.column), str(fault), rule.column)
                continue
            made[rule.column] = text
        if _NOT_IN_A_LIST.search("".join(made.values())):  # one look at all of them is cheap
            self._refuse_characters(rules, made)
        return made

    def _refuse_characters(self, rules: tuple[tuple[Rule, Maker], ...], made: dict[str, str]) -> None:
        for rule, _ in rules:
            if found := _NOT_IN_A_LIST.search(made.get(rule.column, "")):
                refs = rule.template.refs if rule.template else ()
                reason = f"holds the character U+{ord(found[0]):04X}, which an order cannot hold"
                self.tell(label_of(refs, rule.column), reason, rule.column)
                del made[rule.column]

    def part_name(self, columns: dict[str, str], label: str) -> None:
        """The whole name is in its field and the field's extension instead, parted between two characters."""
        whole = columns.pop(NAME_COLUMN, None)
        if whole is None:
            self.failed.update((NAME, NAME_EXTENSION))
            return
        try:
            first, rest = textcodec.split(whole, NAME_WIDTH, NAME_EXTENSION_WIDTH)
        except CodecError as error:
            self.tell(label, str(error), NAME, NAME_EXTENSION)
            return
        columns[NAME], columns[NAME_EXTENSION] = textcodec.decode(first), textcodec.decode(rest)

    def photo_name(self, pattern: Callable[[SourceRow], str] | None, columns: Mapping[str, str]) -> str:
        """The name of the row's photo; empty when it could not be made."""
        if pattern is None:
            return f"{columns['cert_no']}.jpg" if "cert_no" in columns else ""
        try:
            return pattern(self._row)
        except CellFault as fault:
            self.tell(label_of(fault.refs, "photo"), str(fault))
            return ""


def labels_of(mapping: OrderMapping) -> dict[str, str]:
    """How a column of the order is told to somebody who knows the sheet: `身份证号 > cert_no`."""
    found: dict[str, str] = {}
    for rule in (*mapping.holder, *mapping.task):
        if rule.column == NAME_COLUMN and rule.template:
            found |= {column: label_of(rule.template.refs, column) for column in (NAME, NAME_EXTENSION)}
        elif rule.template:
            found[rule.column] = label_of(rule.template.refs, rule.column)
    return found


def label_of(refs: tuple[Ref, ...], column: str) -> str:
    """The order's column, with the sheet's columns that it is made from."""
    names = " + ".join(ref if isinstance(ref, str) else f"column {ref}" for ref in refs)
    return f"{names} > {column}" if names else column


def _headers(number: int, rows: Iterator[SourceRow], file: str) -> tuple[str, ...]:
    if not number:
        return ()
    for row in rows:
        if row.number == number:
            return tuple(textcodec.normalise(cell.strip()) if isinstance(cell, str) else "" for cell in row.cells)
        if row.number > number:
            break
    raise OrderError(f"row {number}, which should hold the column names, is empty or not there", file=file)


class _Columns:
    """Where the source's columns are."""

    def __init__(self, headers: tuple[str, ...], mapping_file: str, file: str) -> None:
        self._headers = headers
        self._mapping_file = mapping_file
        self._file = file

    def wanted(self, rule: Rule) -> dict[Ref, int]:
        """The places of the columns that this rule wants."""
        return self.of(rule.template.refs, rule.place) if rule.template else {}

    def of(self, refs: tuple[Ref, ...], place: Place) -> dict[Ref, int]:
        """The places of these columns, from 0."""
        return {ref: self._index(ref, place) for ref in refs}

    def _index(self, ref: Ref, place: Place) -> int:
        if isinstance(ref, int):
            if self._headers and ref > len(self._headers):
                raise self._refusal(f"has no column {ref}, only {len(self._headers)}", place)
            return ref - 1
        count = self._headers.count(ref)
        if count == 1:
            return self._headers.index(ref)
        if count:
            raise self._refusal(f"has {count} columns '{ref}': name it by its number", place)
        if any(map(_LONG_NUMBER.search, self._headers)):  # a person, who must not be shown
            reason = f"has no column '{ref}': its first row is no column names but data; say header = 0 and use numbers"
            raise self._refusal(reason, place)
        listed = ", ".join(name for name in self._headers[:30] if name) or "no column names at all"
        raise self._refusal(f"has no column '{ref}'; it has {listed}", place)

    def _refusal(self, reason: str, place: Place) -> MappingError:
        message = f"the sheet {self._file} {reason}"
        return MappingError(message, file=self._mapping_file, line=place.line, column=place.column)
