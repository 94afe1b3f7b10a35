"""The mapping file: a TOML text that says how an order is made from a sheet. docs/order-formats.md explains it.

Everything in it is judged before the sheet is opened, and what it does not understand it refuses, with the place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaguan.apdu.errors import PlacedInputError
from kaguan.personalization.formats.rules import DateForm, Pad, Place, Ref, Rule, Template
from kaguan.personalization.formats.source import SourceForm
from kaguan.personalization.order.reading import HOLDER_COLUMNS, TASK_COLUMNS

Table = Mapping[str, Any]

NAME, NAME_EXTENSION = "ssseef0609", "ssseef064e"
NAME_COLUMN = "name"
"""In [holder]: the whole name, which is parted into its field and the field's extension."""

ORDER_PARTS = ("kind", "batch", "vendor", "urgency", "city", "bank", "outlet")
_TABLES = frozenset({"source", "order", "task", "holder", "photo"})
SOURCE_NAMES = frozenset({"kind", "encoding", "delimiter", "quote", "header", "sheet"})
RULE_NAMES = frozenset(
    {"from", "compose", "constant", "count", "default", "trim", "slice", "translate", "date", "upper", "pad"}
)
_TASK = (*(column for column in TASK_COLUMNS if column != "recordcount"),)
_HOLDER = (NAME_COLUMN, *HOLDER_COLUMNS)
_REFERENCE = re.compile(r"\{([^{}]*)\}")
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


class MappingError(PlacedInputError):
    """A mapping file that cannot be understood, or that wants what the source does not have."""


@dataclass(frozen=True, slots=True)
class OrderMapping:
    """A mapping file, judged. Parts of the order's name that it leaves open are absent from `name_parts`."""

    file: str
    source: SourceForm
    name_parts: Mapping[str, str]
    task: tuple[Rule, ...]
    holder: tuple[Rule, ...]
    photo: Template | None
    photo_place: Place


def parse_mapping(text: str, *, file: str = "") -> OrderMapping:
    """The mapping that this TOML text is.

    Raises:
        MappingError: no TOML, an unknown name, or a value that means nothing, with line and column.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found else (0, 0)
        raise MappingError(_TOML_PLACE.sub("", str(error)), file=file, line=line, column=column) from None
    return _Parser(text, file).mapping(top)


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._lines = text.splitlines()
        self._file = file

    def mapping(self, top: Table) -> OrderMapping:
        self._names(top, _TABLES, ())
        photo = self._table(top, "photo")
        self._names(photo, frozenset({"name"}), ("photo",))
        pattern = photo.get("name")
        if pattern is not None and (not isinstance(pattern, str) or not _REFERENCE.search(pattern)):
            raise self._error('must be a pattern such as "{身份证号}.jpg"', "photo", "name")
        task = self._rules(self._table(top, "task"), _TASK, "task")
        holder = self._rules(self._table(top, "holder"), _HOLDER, "holder")
        columns = {rule.column for rule in holder}
        if NAME_COLUMN in columns and columns & {NAME, NAME_EXTENSION}:
            raise self._error(f"parts the name into {NAME} and {NAME_EXTENSION}: leave these out", "holder", "name")
        if "cert_no" not in columns:
            raise self._error("needs a rule for cert_no, which also names the photos", "holder")
        if "task_id" not in {rule.column for rule in task}:
            raise self._error("needs a rule for task_id", "task")
        return OrderMapping(
            file=self._file,
            source=self._source(self._table(top, "source")),
            name_parts=self._name_parts(self._table(top, "order")),
            task=task,
            holder=holder,
            photo=None if pattern is None else self._template(pattern, ("photo", "name")),
            photo_place=self._place("photo", "name"),
        )

    def _source(self, table: Table) -> SourceForm:
        self._names(table, SOURCE_NAMES, ("source",))
        form = SourceForm(**table)
        checks = {
            "kind": form.kind in ("", "csv", "xlsx"),
            "encoding": form.encoding in ("auto", "utf-8", "gb18030"),
            "delimiter": isinstance(form.delimiter, str) and len(form.delimiter) == 1 and form.delimiter not in "\r\n",
            "quote": isinstance(form.quote, str) and len(form.quote) == 1 and form.quote not in "\r\n",
            "header": _is_count(form.header) and form.header <= 100,
            "sheet": isinstance(form.sheet, str) or _is_count(form.sheet),
        }
        wanted = {
            "kind": '"csv" or "xlsx"',
            "encoding": '"auto", "utf-8" or "gb18030"',
            "delimiter": "one character",
            "quote": "one character",
            "header": "the number of the row with the column names, 0 for none",
            "sheet": "a sheet's name or number",
        }
        for name, good in checks.items():
            if not good:
                raise self._error(f"must be {wanted[name]}", "source", name)
        if form.delimiter == form.quote:
            raise self._error("is the same as delimiter", "source", "quote")
        return form

    def _name_parts(self, table: Table) -> Mapping[str, str]:
        self._names(table, frozenset(ORDER_PARTS), ("order",))
        for name, value in table.items():
            if not isinstance(value, str) or not re.fullmatch("[0-9A-Za-z]*", value, re.ASCII):
                raise self._error("must be a text of letters and digits", "order", name)
        return dict(table)

    def _rules(self, table: Table, known: tuple[str, ...], where: str) -> tuple[Rule, ...]:
        self._names(table, frozenset(known), (where,))
        return tuple(self._rule(column, value, (where, column)) for column, value in table.items())

    def _rule(self, column: str, value: object, path: tuple[str, ...]) -> Rule:
        if isinstance(value, str | int) and not isinstance(value, bool):
            value = {"from": value}
        if not isinstance(value, dict):
            raise self._error("must be a source column, or a table such as { from = ... }", *path)
        self._names(value, RULE_NAMES, path)
        if len({"from", "compose", "constant", "count"} & value.keys()) != 1:
            raise self._error("needs exactly one of from, compose, constant and count", *path)
        later = value.keys() - {"from", "compose", "constant", "count"}
        if later and not {"from", "compose"} & value.keys():
            raise self._error(f"has {', '.join(sorted(later))} beside a constant or a count, to no effect", *path)
        for name in ("trim", "upper"):
            if not isinstance(value.get(name, False), bool):
                raise self._error("must be true or false", *path, name)
        count = value.get("count", 0)
        if "count" in value and not (_is_count(count) and 1 <= count <= 9):
            raise self._error("must be the count's number of digits, 1 to 9", *path, "count")
        return Rule(
            column=column,
            place=self._place(*path),
            template=self._taken(value, path),
            constant=self._text(value, "constant", path),
            count=count,
            default=self._text(value, "default", path) or "",
            trim=value.get("trim", True),
            slice=self._slice(value.get("slice"), path),
            translate=self._translation(value.get("translate"), path),
            dates=self._dates(value.get("date", []), path),
            upper=value.get("upper", False),
            pad=self._pad(value.get("pad"), path),
        )

    def _taken(self, value: Table, path: tuple[str, ...]) -> Template | None:
        if "from" in value:
            ref = value["from"]
            if not (isinstance(ref, str) and ref) and not (_is_count(ref) and ref):
                raise self._error("must be a source column's name, or its number from 1", *path, "from")
            return Template((("", ref),))
        if "compose" in value:
            pattern = value["compose"]
            if not isinstance(pattern, str) or not _REFERENCE.search(pattern):
                raise self._error('must be a text with source columns, as "{省}{市}"', *path, "compose")
            return self._template(pattern, (*path, "compose"))
        return None

    def _template(self, pattern: str, path: tuple[str, ...]) -> Template:
        pieces = _REFERENCE.split(pattern)
        if any("{" in text or "}" in text for text in pieces[::2]) or not all(pieces[1::2]):
            raise self._error("has a brace without its partner, or nothing between two", *path)
        refs: list[Ref | None] = [int(ref) if ref.isascii() and ref.isdigit() else ref for ref in pieces[1::2]]
        if 0 in refs:
            raise self._error("wants column 0; columns are counted from 1", *path)
        return Template(
            tuple(zip(pieces[::2], [*refs, None], strict=True))
            if pieces[-1]
            else tuple(zip(pieces[:-1:2], refs, strict=True))
        )

    def _text(self, value: Table, name: str, path: tuple[str, ...]) -> str | None:
        text = value.get(name)
        if text is not None and not isinstance(text, str):
            raise self._error('must be a text, in "quotes"', *path, name)
        return text

    def _slice(self, value: object, path: tuple[str, ...]) -> tuple[int, int] | None:
        match value:
            case None:
                return None
            case [int(first), int(last)] if 1 <= first <= last:
                return first, last
        raise self._error("must be the first and the last character's number, as [7, 14]", *path, "slice")

    def _translation(self, value: object, path: tuple[str, ...]) -> Mapping[str, str] | None:
        if value is None:
            return None
        if isinstance(value, dict) and value and all(isinstance(text, str) for text in value.values()):
            return value
        raise self._error('must be a table of texts, as { "男" = "1", "女" = "2" }', *path, "translate")

    def _dates(self, value: object, path: tuple[str, ...]) -> tuple[DateForm, ...]:
        texts = value if isinstance(value, list) else [value]
        try:
            return tuple(DateForm.parse(str(text)) for text in texts)
        except ValueError as error:
            raise self._error(str(error), *path, "date") from None

    def _pad(self, value: object, path: tuple[str, ...]) -> Pad | None:
        if value is None:
            return None
        if isinstance(value, dict):
            self._names(value, frozenset({"width", "with", "side"}), (*path, "pad"))
            width, fill, side = value.get("width"), value.get("with", "0"), value.get("side", "left")
            good = isinstance(width, int) and 1 <= width <= 100 and isinstance(fill, str) and len(fill) == 1
            if good and side in ("left", "right"):
                return Pad(int(str(width)), fill, side == "left")
        raise self._error('must be as { width = 6, with = "0", side = "left" }', *path, "pad")

    def _table(self, top: Table, name: str) -> Table:
        value = top.get(name, {})
        if not isinstance(value, dict):
            raise self._error("must be a table", name)
        return value

    def _names(self, table: Table, known: frozenset[str], path: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                listed = ", ".join(sorted(known)[:40])
                raise self._error(f"is unknown here; known are {listed}", *path, name)

    def _error(self, reason: str, *path: str) -> MappingError:
        line, column = self._place(*path)
        return MappingError(f"{'.'.join(path)} {reason}", file=self._file, line=line, column=column)

    def _place(self, *path: str) -> Place:
        return locate(self._lines, path)


def locate(lines: list[str], path: tuple[str, ...]) -> Place:
    """Where the value of that path stands, as far as a look at the lines can tell: the deepest part that is found."""
    found = Place()
    depth = 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if len(table) > depth and path[: len(table)] == table:
                found, depth = Place(number, header.start(1) + 1), len(table)
            continue
        if path[: len(table)] != table:
            continue
        position = 0
        for reached in range(len(table), len(path)):
            key = re.compile(rf"(?:^|[{{,.\s])[\"']?({re.escape(path[reached])})[\"']?\s*[=.]").search(line, position)
            if key is None:
                break
            position = key.end(1)
            if reached + 1 > depth:
                found, depth = Place(number, key.start(1) + 1), reached + 1
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
