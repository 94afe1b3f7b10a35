"""Small files, small functions, telling module names, and a first sentence for all that is public.

One test looks at all files: a thousand tests of a millisecond each would cost their collection in every worker.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from house.tree import SOURCE, functions, name_of, python_files, syntax

MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 60
# Migrations are written by Django, not by us.
WRITTEN = [file for file in python_files() if "migrations" not in file.parts]
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}


def too_long(file: Path) -> Iterator[str]:
    """What of the file is longer than it may be, with how long it is."""
    lines = len(file.read_text(encoding="utf-8").splitlines())
    if lines > MOST_LINES_A_FILE:
        yield f"{name_of(file)}: {lines} lines"
    if lines <= MOST_LINES_A_FUNCTION:
        return
    for node in functions(syntax(file)):
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > MOST_LINES_A_FUNCTION:
            yield f"{name_of(file)}:{node.lineno}: {node.name}: {size} lines"


def silent(file: Path) -> Iterator[str]:
    """What of the file is public and says nothing of itself."""
    tree = syntax(file)
    if tree.body and not ast.get_docstring(tree):
        yield name_of(file)
    for node in tree.body:
        public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_"
        if public and not ast.get_docstring(node):
            yield f"{name_of(file)}:{node.lineno}: {node.name}"


def test_files_and_functions_stay_small():
    assert WRITTEN
    assert [one for file in WRITTEN for one in too_long(file)] == []


def test_a_module_is_named_for_what_it_holds():
    modules = python_files("src")
    assert modules
    named = {name_of(file): NO_NAMES.intersection(file.relative_to(SOURCE).with_suffix("").parts) for file in modules}
    assert {name: found for name, found in named.items() if found} == {}


def test_what_is_public_says_what_it_is():
    modules = [file for file in WRITTEN if file.is_relative_to(SOURCE)]
    assert modules
    assert [one for file in modules for one in silent(file)] == []
