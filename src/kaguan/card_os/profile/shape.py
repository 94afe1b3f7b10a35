"""The names that a profile's TOML may use, and the place of one that it may not.

A new name is added here, with the code that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kaguan.apdu.errors import ProfileError
from kaguan.card_os.profile.inherit import IDENTITY

Table = Mapping[str, Any]

_EVIDENCE = "confidence note"
_FIELD = f"tag name title format width count codes example inner remove {_EVIDENCE}"

NAMES: Mapping[str, frozenset[str]] = {
    where: frozenset(names.split())
    for where, names in {
        "": (
            "name title specification extends answer_to_reset behaviour security personalization defaults confidence "
            "codes variant df module"
        ),
        "answer_to_reset": "prefix chip_maker cos card_maker",
        "security": "algorithm purse key_tries",
        "personalization": "files",
        "codes": f"title standard closed values {_EVIDENCE}",
        "df": (
            f"name title parent fid df_name label proprietary algorithm_shown lock_key messaging_key unblock_key "
            f"shown_sfi file key pin purse optional remove {_EVIDENCE}"
        ),
        "file": (
            f"name title kind read update size record_size record_count fields layout photo directory optional content "
            f"records filled update_mac update_key rule_confidence remove {_EVIDENCE}"
        ),
        "fields": _FIELD,
        "inner": _FIELD,
        "layout": _FIELD,
        "key": (
            f"id label usage tries psam hsm version versions value algorithm use change next_state remove {_EVIDENCE}"
        ),
        "pin": (
            f"id label tries min_bytes max_bytes unblock_key messaging_key value use next_state remove {_EVIDENCE}"
        ),
        "purse": (
            f"type name log log_layout load purchase balance max_balance_fen unload cash overdraft load_log composite "
            f"remove {_EVIDENCE}"
        ),
        "variant": "name title confidence answer_to_reset behaviour security personalization defaults df",
    }.items()
}
"""The names in each table; what is in `behaviour`, `defaults`, `confidence` and `module` is judged where it is read."""

_FREE = frozenset({"behaviour", "defaults", "confidence", "module", "values"})


class Step(NamedTuple):
    """One table on the way to a name: what it is, and the line that shows its beginning."""

    title: str
    mark: str


Steps = tuple[Step, ...]


def check_names(top: Table, text: str, file: str) -> None:
    """Nothing happens when every name in the profile is known.

    Raises:
        ProfileError: one is not, with its file, line and place.
    """
    for steps, name, known in _unknown(top, "", ()):
        place = ", ".join(step.title for step in steps) or "the profile"
        known_names = ", ".join(sorted(known))
        message = f"{place} has no '{name}': it has {known_names}"
        raise ProfileError(message, file=file, line=_line(text, steps, name))


def _unknown(table: Table, kind: str, steps: Steps) -> Iterator[tuple[Steps, str, frozenset[str]]]:
    """Every name that is not known, with the way to it and the names that are."""
    known = NAMES[kind]
    for name, value in table.items():
        if name not in known:
            yield steps, name, known
        elif name in _FREE:
            continue
        elif name == "codes" and isinstance(value, Mapping):
            for entry, inner in value.items():
                yield from _unknown(inner, "codes", (*steps, Step(f"codes {entry}", rf"\[codes\.{re.escape(entry)}\b")))
        elif name in IDENTITY and isinstance(value, list):
            for inner in value:
                yield from _unknown(inner, name, (*steps, _step(name, inner)))
        elif isinstance(value, Mapping):
            yield from _unknown(value, name, (*steps, Step(name, rf"\b{name}\]")))


def _step(kind: str, entry: Table) -> Step:
    identity = IDENTITY[kind]
    key = entry.get(identity, "?")
    shown = f"{key:02X}" if isinstance(key, int) else key
    # Files in the text give numbers in hexadecimal, as the standards do; purse types may stand either way.
    value = rf"(?:0x0*{key:X}|{key})\b" if isinstance(key, int) else f'"{re.escape(str(key))}"'
    return Step(f"{kind} {shown}", rf"\b{identity}\s*=\s*{value}")


def _line(text: str, steps: Steps, name: str) -> int:
    """The line on which the name stands, found by the marks of the tables around it; 0 when it is not found."""
    offset = 0
    for mark in (*(step.mark for step in steps), rf"(?<![\w.]){re.escape(name)}\s*[=.\]]"):
        found = re.compile(mark, re.IGNORECASE).search(text, offset)
        if found is None:
            return 0
        offset = found.start()
    return text.count("\n", 0, offset) + 1
