"""Small files, small functions, telling module names, and a first sentence for all that is public."""

from __future__ import annotations

import ast

import pytest

from house.tree import SOURCE, name_of, python_files, syntax

MOST_LINES_A_FILE = 400
MOST_LINES_A_FUNCTION = 60
# Migrations are written by Django, not by us.
WRITTEN = [file for file in python_files() if "migrations" not in file.parts]
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}


@pytest.mark.parametrize("file", WRITTEN, ids=name_of)
def test_files_and_functions_stay_small(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES_A_FILE
    long = [
        f"{node.name}: {size} lines"
        for node in ast.walk(syntax(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES_A_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("file", python_files("src"), ids=name_of)
def test_a_module_is_named_for_what_it_holds(file):
    assert NO_NAMES.isdisjoint(file.relative_to(SOURCE).with_suffix("").parts)


@pytest.mark.parametrize("file", [f for f in WRITTEN if f.is_relative_to(SOURCE)], ids=name_of)
def test_what_is_public_says_what_it_is(file):
    tree = syntax(file)
    silent = [
        f"line {node.lineno}: {node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
    assert not tree.body or ast.get_docstring(tree)
