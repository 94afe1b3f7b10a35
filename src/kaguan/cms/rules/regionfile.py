"""Region files: TOML that says what one country, province or city decides, and from which day on.

```toml
code = "990100"
name = "Yunzhou"
parent = "990000"

[[version]]
valid_from = 2020-01-01
note = "what this version is about"
inherits = ["card_valid_years"]  # left to the region above again

[version.loss]
temporary_loss_days = 10

[version.confidence]
temporary_loss_days = "C"
```

A version names what it changes; what it does not name stays as the version before it had it. A region's parent follows
from its code, so no circle can be written. Whatever the reader does not understand, it refuses by file, table and key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

from kaguan.card_os.profile.model import Confidence
from kaguan.cms.rules.layers import COUNTRY, Layer, check_code, check_days, parent_of
from kaguan.cms.rules.refusals import RuleTableError
from kaguan.cms.rules.regions import SETTINGS

_TOP: Final = ("code", "name", "parent", "version")
_OF_VERSION: Final = ("valid_from", "note", "inherits", "confidence")
TABLES: Final = tuple(dict.fromkeys(one.table for one in SETTINGS.values()))


@dataclass(frozen=True, slots=True)
class RegionFile:
    """What one file says of one region, its versions in the order of their days."""

    file: str
    code: str
    name: str
    parent: str
    versions: tuple[Layer, ...]
    notes: tuple[str, ...]


def parse_region(text: str, *, file: str) -> RegionFile:
    """Return what the text says.

    Raises:
        RuleTableError: no TOML; an unknown or missing key; a setting in another table, or with a value that it does not
            take; a parent that is not the code's; versions that are not in the order of their days, or that leave
            nothing to do. The text names file, table and key.
    """
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleTableError(f"{file}: {error}") from None
    except (RecursionError, ValueError):
        raise RuleTableError(f"{file}: a value is nested too deeply, or a number has too many digits") from None
    try:
        return _region(top, file)
    except RuleTableError as error:
        raise RuleTableError(f"{file}: {error}") from None


def _region(top: Mapping[str, Any], file: str) -> RegionFile:
    _refuse_unknown(top, _TOP, "at the top")
    code, name = _text(top, "code"), _text(top, "name")
    check_code(code)
    parent = _text(top, "parent") if code != COUNTRY or "parent" in top else ""
    if parent != parent_of(code):
        right = f'write parent = "{parent_of(code)}"' if parent_of(code) else "leave parent away"
        raise RuleTableError(f"parent is {parent!r}, but {code} lies elsewhere: {right}")
    tables = top.get("version", [])
    if not isinstance(tables, list) or not tables:
        raise RuleTableError("there is no [[version]]: a region says at least from when on it says something")
    layers = tuple(_version(table, code, name, number) for number, table in enumerate(tables, start=1))
    for number, (before, after) in enumerate(pairwise(layers), start=2):
        if after.valid_from <= before.valid_from:
            raise RuleTableError(
                f"[[version]] {number}, valid_from: {after.valid_from} is not after {before.valid_from}: "
                "put the versions in the order of their days, one a day"
            )
    return RegionFile(file, code, name, parent, layers, tuple(table.get("note", "") for table in tables))


def _version(table: object, code: str, name: str, number: int) -> Layer:
    where = f"[[version]] {number}"
    if not isinstance(table, dict):
        raise RuleTableError(f"{where} is no table: write [[version]]")
    _refuse_unknown(table, (*_OF_VERSION, *TABLES), where)
    valid_from = table.get("valid_from")
    if type(valid_from) is not date:
        raise RuleTableError(f"{where}, valid_from: {valid_from!r} is no day: write one such as 2020-01-01")
    if not isinstance(table.get("note", ""), str):
        raise RuleTableError(f"{where}, note: write text")
    settings = {name: value for title in TABLES for name, value in _settings(table, title, where).items()}
    inherits = _inherits(table.get("inherits", []), settings, where)
    if not settings and not inherits:
        raise RuleTableError(
            f"{where} changes nothing: name a setting in one of [version.{'], [version.'.join(TABLES)}]"
        )
    marks = _confidence(table.get("confidence", {}), settings, where)
    return Layer(code, valid_from, {"name": name, **settings}, marks, inherits)


def _settings(version: Mapping[str, Any], title: str, where: str) -> dict[str, object]:
    """Return the settings of one table, as JSON holds them."""
    table = version.get(title, {})
    if not isinstance(table, dict):
        raise RuleTableError(f"{where}, {title}: it is a table: write [version.{title}]")
    read: dict[str, object] = {}
    for key, value in table.items():
        place = f"{where}, [version.{title}] {key}"
        if key not in SETTINGS:
            known = ", ".join(name for name, one in SETTINGS.items() if one.table == title)
            raise RuleTableError(f"{place}: unknown: use one of {known}")
        one = SETTINGS[key]
        if one.table != title:
            raise RuleTableError(f"{place}: it belongs into [version.{one.table}]")
        try:
            read[key] = one.kind.write(one.kind.read(value))
        except ValueError as error:
            raise RuleTableError(f"{place}: {error}") from None
    return read


def _inherits(names: object, settings: Collection[str], where: str) -> frozenset[str]:
    if not isinstance(names, list):
        raise RuleTableError(f"{where}, inherits: write a list of settings")
    for name in names:
        if name not in SETTINGS:
            raise RuleTableError(f"{where}, inherits: {name!r} is no setting")
        if name in settings:
            raise RuleTableError(f"{where}, inherits: {name} is set by the same version: leave one of them away")
    return frozenset(names)


def _confidence(marks: object, settings: Collection[str], where: str) -> dict[str, str]:
    if not isinstance(marks, dict):
        raise RuleTableError(f"{where}, confidence: it is a table: write [version.confidence]")
    for name, mark in marks.items():
        if name not in settings:
            raise RuleTableError(f"{where}, [version.confidence] {name}: this version sets no such setting")
        if mark not in list(Confidence):
            known = ", ".join(one.value for one in Confidence)
            raise RuleTableError(f"{where}, [version.confidence] {name}: {mark!r} is none of {known}")
    return dict(marks)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RuleTableError(f'{key} is missing: write {key} = "..." at the top')
    return value


def _refuse_unknown(table: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in table:
        if key in known:
            continue
        if key in SETTINGS:
            raise RuleTableError(f"{where}, {key}: it belongs into [version.{SETTINGS[key].table}]")
        raise RuleTableError(f"{where}, {key}: unknown: use one of {', '.join(known)}")


def check_files(files: Iterable[RegionFile], *, known: Sequence[Layer] = ()) -> None:
    """Return when the files hold together, with one another and with what is known already.

    Raises:
        RuleTableError: a region twice, a gap in the line up to the country, rules that begin before those above, or
            values that do not fit together on some day.
    """
    by_code: dict[str, RegionFile] = {}
    for one in files:
        if one.code in by_code:
            raise RuleTableError(f"{one.file}: {by_code[one.code].file} speaks of {one.code} too: make it one file")
        by_code[one.code] = one
    layers = [*known, *(layer for one in by_code.values() for layer in one.versions)]
    begins: dict[str, date] = {}
    for layer in layers:
        begins[layer.code] = min(layer.valid_from, begins.get(layer.code, layer.valid_from))
    for one in by_code.values():
        if one.parent and one.parent not in begins:
            raise RuleTableError(f"{one.file}: nothing is known of its parent {one.parent}: give that one's file too")
        if one.parent and begins[one.code] < begins[one.parent]:
            raise RuleTableError(
                f"{one.file}: its rules begin on {begins[one.code]}, those of its parent {one.parent} only on "
                f"{begins[one.parent]}: date its first version later, or the parent's earlier"
            )
        try:
            check_days(one.code, layers)
        except RuleTableError as error:
            raise RuleTableError(f"{one.file}: {error}") from None
