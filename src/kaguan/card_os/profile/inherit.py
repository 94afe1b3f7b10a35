"""Profiles that are differences: `extends`, variants, and how two tables become one.

Tables are joined name by name. Lists of tables are joined by what names an entry (a file's name, a field's tag, a
key's label ..): an entry that is there is changed, one that is not is added at the end, and one that says
`remove = true` goes. Everything else is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kaguan.apdu.errors import ProfileError

Table = Mapping[str, Any]

IDENTITY: Mapping[str, str] = {
    "df": "name",
    "file": "name",
    "fields": "tag",
    "inner": "tag",
    "layout": "name",
    "key": "label",
    "pin": "id",
    "purse": "type",
    "variant": "name",
}
"""What names an entry of each list of tables."""

VARIANT_MARK = "+"


def inherited(top: Table, read: Callable[[str], Table]) -> Table:
    """The whole profile: what it extends, changed by what it says itself.

    Raises:
        ProfileError: it extends itself, or removes what is not there.
    """
    seen: list[str] = []
    chain: list[Table] = [top]
    while name := chain[-1].get("extends"):
        if name in seen:
            raise ProfileError(f"the profile extends itself: {' -> '.join((*seen, name))}")
        seen.append(name)
        chain.append(read(name))
    whole = chain.pop()
    while chain:
        whole = changed(whole, chain.pop())
    return {name: value for name, value in whole.items() if name != "extends"}


def with_variants(top: Table, names: tuple[str, ...]) -> Table:
    """The profile with these variants of it in force, one after the other.

    Raises:
        ProfileError: it has no such variant.
    """
    known = {entry["name"]: entry for entry in top.get("variant", ())}
    for name in names:
        if name not in known:
            has = ", ".join(known) or "none"
            raise ProfileError(f"profile {top['name']} has no variant '{name}': it has {has}")
        difference = {key: value for key, value in known[name].items() if key not in ("name", "title", "confidence")}
        top = changed(top, difference)
    return {**top, "name": VARIANT_MARK.join((top["name"], *names))} if names else top


def removed_fields(before: Table, after: Table) -> frozenset[tuple[str, str, int]]:
    """The fields, by (DF, EF, tag), that one profile has and the other has not."""
    return frozenset(_fields(before)) - frozenset(_fields(after))


def changed(base: Table, difference: Table, where: str = "") -> dict[str, Any]:
    """The table with the difference made."""
    result = dict(base)
    for name, value in difference.items():
        place = f"{where}{name}"
        if name in IDENTITY and isinstance(value, list):
            result[name] = _entries(base.get(name, ()), value, IDENTITY[name], place)
        elif isinstance(value, Mapping) and isinstance(base.get(name), Mapping):
            result[name] = changed(base[name], value, f"{place}.")
        else:
            result[name] = value
    return result


def _entries(base: list[Table], differences: list[Table], identity: str, where: str) -> list[Table]:
    entries = {entry[identity]: entry for entry in base}
    for difference in differences:
        if identity not in difference:
            raise ProfileError(f"{where}: an entry without its {identity}")
        key = difference[identity]
        place = f"{where} {key:02X}" if isinstance(key, int) else f"{where} {key}"
        if difference.get("remove"):
            if key not in entries:
                raise ProfileError(f"{place} is removed, but it is not there")
            del entries[key]
        elif key in entries:
            entries[key] = changed(entries[key], difference, f"{place}, ")
        else:
            entries[key] = difference
    return list(entries.values())


def _fields(top: Table) -> list[tuple[str, str, int]]:
    return [
        (dedicated["name"], file["name"], field["tag"])
        for dedicated in top.get("df", ())
        for file in dedicated.get("file", ())
        for field in file.get("fields", ())
    ]
