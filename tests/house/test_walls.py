"""Rooms without clock, disk and luck. What imports what is import-linter's business (`make walls`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from house.tree import name_of, python_files, syntax

PURE_ROOMS = ("src/kaguan/apdu", "src/kaguan/vault", "src/kaguan/card_os", "src/kaguan/cms/rules")
FORBIDDEN_MODULES = {"os", "io", "time", "random", "secrets", "socket", "pathlib"}
FORBIDDEN_CALLS = {"open", "print", "input"}
CLOCKS = {"now", "today", "utcnow"}


def impurities(tree: ast.AST) -> Iterator[str]:
    """What in this syntax tree reaches for the clock, the disk or luck."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                imported = [module]
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                yield f"line {node.lineno}: calls {name}()"
                continue
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                yield f"line {node.lineno}: asks the clock, .{name}()"
                continue
            case _:
                continue
        for module in imported:
            if module.split(".")[0] in FORBIDDEN_MODULES:
                yield f"line {node.lineno}: imports {module}"


def test_pure_rooms_get_time_luck_and_disk_as_arguments():
    files = python_files(*PURE_ROOMS)
    assert files
    assert {name_of(file): found for file in files if (found := list(impurities(syntax(file))))} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import os.path",
        "from secrets import token_bytes",
        "def f():\n    import time",
        "open('card')",
        "date.today()",
        "datetime.datetime.now(UTC)",
    ],
)
def test_the_check_finds(line):
    assert list(impurities(ast.parse(line)))
