"""Every operation of the web API, out of its committed description, with a request that has the right form.

A new route is besieged as soon as it is described.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cms.web import Caller

DESCRIPTION = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text("utf-8"))
ROOT = "/api/v1"

Names = Mapping[str, Any]
"""What path, headers and body call things; `path x` is what `x` means in a path alone."""
Change = Callable[[tuple[str, ...], Any], Any]
"""Another value for the field at that place in the body."""


@dataclass(frozen=True)
class Operation:
    """One way to ask for one thing."""

    name: str
    method: str
    path: str
    open_to_all: bool
    headers: frozenset[str]
    body: Mapping[str, Any] | None

    def __str__(self) -> str:
        return self.name

    def named(self, names: Names) -> Names:
        """What these names mean in this path: the number of a temporary card goes by the name of a card's."""
        slips = self.path.startswith("/temporary-cards")
        return {**names, "card_no": names["temporary_card_no"]} if slips else names

    def ask(self, caller: Caller, names: Names, *, change: Change | None = None, **headers: str):
        """The answer to a request that names these things."""
        meant = self.named(names)
        path = re.sub(r"{(\w+)}", lambda place: str(meant.get(f"path {place[1]}") or meant[place[1]]), self.path)
        more = {name: str(meant[name]) for name in self.headers & meant.keys()}
        if self.method == "get":
            return caller.get(path, **more, **headers)
        body = None if self.body is None else example(self.body, meant, change=change)
        return caller.post(path, body, **more, **headers)

    def places(self, names: Names) -> list[tuple[str, ...]]:
        """Where in the body a plain value stands."""
        if self.body is None:
            return []
        found: list[tuple[str, ...]] = []

        def see(place: tuple[str, ...], value: Any) -> Any:
            found.append(place)
            return value

        example(self.body, self.named(names), change=see)
        return found


def operations() -> Iterator[Operation]:
    """All that are described."""
    for path, methods in DESCRIPTION["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {})
            yield Operation(
                told["operationId"],
                method,
                path.removeprefix(ROOT),
                open_to_all="security" not in told,
                headers=frozenset(one["name"] for one in told.get("parameters", []) if one["in"] == "header"),
                body=content["application/json"]["schema"] if content else None,
            )


OPERATIONS = list(operations())


def example(schema: Mapping[str, Any], names: Names, place: tuple[str, ...] = (), *, change: Change | None = None):
    """A value of that form; what has a name of these has its value, and what is in nobody's way is left out."""
    if "$ref" in schema:
        return example(DESCRIPTION["components"]["schemas"][schema["$ref"].rpartition("/")[2]], names, place,
                       change=change)  # fmt: skip
    if place and place[-1] in names:
        value = names[place[-1]]
    elif "anyOf" in schema:
        return example(schema["anyOf"][0], names, place, change=change)
    elif schema.get("type") == "object":
        asked = [*schema.get("required", ()), *(names.keys() & schema.get("properties", {}).keys())]
        return {
            name: example(schema["properties"][name], names, (*place, name), change=change)
            for name in dict.fromkeys(asked)
        }
    elif schema.get("type") == "array":
        return [example(schema["items"], names, (*place, "0"), change=change)]
    else:
        value = _plain(schema)
    return change(place, value) if change else value


def _plain(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date":
        return "2026-01-09"
    return {"integer": schema.get("minimum", 1), "boolean": True}.get(schema["type"], "x1")
